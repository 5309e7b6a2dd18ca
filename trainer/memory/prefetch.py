"""Which facts are kept near: those of the topics that the last one leads to; of the others only the first entry is.

One Prefetch goes with one conversation. Before anything was recalled in it, all facts are near.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainer.memory.facts import Entries, Facts, recalled


@dataclass(slots=True)
class Prefetch:
    """A recall that compares contexts with the near facts, and fetches others when their answer begins.

    Topics follow one another as they did before: the near ones are the last topic and its most frequent followers.
    Use it as `model.recall = Prefetch(facts)`.
    """

    facts: Facts
    most: int = 2  # topics that are near, the last one included
    last: str | None = None  # the topic that was recalled last
    followers: dict[str, Counter[str]] = field(default_factory=dict)
    hits: int = 0  # changes of topic that had been foreseen
    misses: int = 0  # changes of topic that had not
    compared: int = 0  # entries that contexts were compared with

    def near(self) -> list[str]:
        """The topics whose facts are expected next, the likeliest first; none before the first recall."""
        if self.last is None:
            return []
        followers = [topic for topic, _ in self.followers.get(self.last, Counter()).most_common()]
        return [self.last, *(topic for topic in followers if topic != self.last)][: self.most]

    def __call__(self, logits: Tensor, contexts: Tensor) -> Tensor:
        """The logits with what is recalled; see model.Recall."""
        if not self.facts.facts:
            return logits
        expected = self.near()
        entries = self._looked_at(expected)
        odds = self._compared(entries, contexts)
        begun = {self.facts.facts[owner].topic for owner in _meant(odds, entries)}
        if self.last is not None and begun - set(expected):
            entries = self._looked_at([*expected, *begun])
            odds = self._compared(entries, contexts)
        self.facts.count(odds, entries)
        self._follow(odds[-1, -1], entries, expected)
        return recalled(logits, odds, entries.ids)

    def _looked_at(self, topics: Iterable[str]) -> Entries:
        """All entries of the topics, and the first one of each other fact; everything at the beginning."""
        everything = self.facts.entries
        if self.last is None:
            return everything
        wanted = set(topics)
        near = torch.tensor([fact.topic in wanted for fact in self.facts.facts], device=everything.owners.device)
        return everything.of(near[everything.owners] | everything.firsts())

    def _compared(self, entries: Entries, contexts: Tensor) -> Tensor:
        self.compared += contexts.shape[0] * contexts.shape[1] * len(entries.ids)
        return entries.openness(contexts)

    def _follow(self, odds: Tensor, entries: Entries, expected: list[str]) -> None:
        """Notes the topic that is spoken of at the end of the row, and what it followed."""
        best = int(odds.argmax())
        if odds[best] <= 0:
            return
        topic = self.facts.facts[int(entries.owners[best])].topic
        if self.last is not None and topic != self.last:
            self.followers.setdefault(self.last, Counter())[topic] += 1
            self.hits += topic in expected
            self.misses += topic not in expected
        self.last = topic


def _meant(odds: Tensor, entries: Entries) -> list[int]:
    """The numbers of the facts that any context of the row means."""
    found: list[int] = entries.owners[(odds > 0).flatten(0, -2).any(0)].tolist()
    return found
