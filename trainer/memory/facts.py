"""The facts of a model, one entry for each id of each answer, and how they are recalled: no gradient, no training.

An entry's key is the context (layers/document_mean.py) in which its id comes next; its value is that id. Each context
that the model comes to is compared with all keys. What is close enough to a key is told apart from everything else that
is known, so the memory speaks only where it has something to say (after nearest-neighbour language models, Khandelwal
et al. 2020, arXiv 1911.00172).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

_SHARPNESS: Final = 8.0  # of the gate: log-odds at the key itself; as much below zero at the nearest other context
_SURE: Final = 0.9999  # the memory's largest share of the probability


@dataclass(frozen=True, slots=True)
class Fact:
    """A question with its answer."""

    question: str
    answer: str
    topic: str = ""


@dataclass(frozen=True, slots=True)
class Entries:
    """The ids of all answers, each with the context that it comes in; n of them."""

    keys: Tensor  # (n, 2 D) float32, of length 1
    ids: Tensor  # (n,) int64, what comes next
    owners: Tensor  # (n,) int64, the number of the fact
    nearest: Tensor  # (n,) float32, the cosine to the closest context that it is told apart from

    def of(self, kept: Tensor) -> "Entries":
        """Those where `kept`, (n,) bool, or those at its indices."""
        return Entries(self.keys[kept], self.ids[kept], self.owners[kept], self.nearest[kept])

    def firsts(self) -> Tensor:
        """(n,) bool: which entries begin an answer."""
        first = torch.ones_like(self.owners, dtype=torch.bool)
        first[1:] = self.owners[1:] != self.owners[:-1]
        return first

    def openness(self, contexts: Tensor) -> Tensor:
        """(..., n): log-odds that an entry is meant by a context (..., 2 D)."""
        cosines = contexts @ self.keys.T
        middle, half = (1 + self.nearest) / 2, (1 - self.nearest) / 2
        odds: Tensor = _SHARPNESS * (cosines - middle) / half
        return odds


@dataclass(slots=True)
class Facts:
    """All facts of one model; `model.recall = facts` lets it speak them."""

    entries: Entries
    facts: list[Fact] = field(default_factory=list)
    uses: list[int] = field(default_factory=list)  # how often each fact began to be recalled
    known: list[Fact] = field(default_factory=list)  # what the weights know, and what facts are told apart from

    def __call__(self, logits: Tensor, contexts: Tensor) -> Tensor:
        """The logits with what is recalled; see model.Recall."""
        if not self.facts:
            return logits
        odds = self.entries.openness(contexts)
        self.count(odds, self.entries)
        return recalled(logits, odds, self.entries.ids)

    def count(self, odds: Tensor, entries: Entries) -> None:
        """Notes which facts begin to be recalled: those whose first id is meant."""
        meant = ((odds > 0) & entries.firsts()).flatten(0, -2).sum(0)
        for entry in meant.nonzero()[:, 0].tolist():
            self.uses[int(entries.owners[entry])] += int(meant[entry])

    def without(self, questions: Sequence[str]) -> None:
        """Forgets the facts of these questions; one that is not there is forgotten already."""
        gone = set(questions)
        kept = [number for number, fact in enumerate(self.facts) if fact.question not in gone]
        renumbered = torch.full((len(self.facts),), -1)
        renumbered[kept] = torch.arange(len(kept))
        owners = renumbered[self.entries.owners.cpu()].to(self.entries.owners.device)
        entries = Entries(self.entries.keys, self.entries.ids, owners, self.entries.nearest)
        self.entries = entries.of(owners >= 0)
        self.facts, self.uses = [self.facts[number] for number in kept], [self.uses[number] for number in kept]


def recalled(logits: Tensor, odds: Tensor, ids: Tensor) -> Tensor:
    """A gated mixture: attention over the entries by their odds, behind a gate that the best one opens.

    Args:
        logits: (B, L, vocabulary), the model's own.
        odds: (B, L, n), log-odds of each entry.
        ids: (n,), what the entries say.

    Returns:
        (B, L, vocabulary): the logarithms of the mixed probabilities.

    """
    gate = _SURE * torch.sigmoid(odds.max(-1, keepdim=True).values)
    said = torch.zeros_like(logits).index_add_(-1, ids, odds.softmax(-1).to(logits.dtype))
    own = functional.log_softmax(logits, -1) + torch.log1p(-gate)
    return torch.logaddexp(own, (gate * said).log())


def no_entries(width: int, device: torch.device) -> Entries:
    """None, for a model of that width."""
    ids = torch.zeros(0, dtype=torch.int64, device=device)
    return Entries(torch.zeros(0, 2 * width, device=device), ids, ids, torch.zeros(0, device=device))
