"""Writes facts into a model's memory by letting the model read them once; it changes no weight."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from trainer.encoding import of_conversation
from trainer.errors import ConfigError, DataError
from trainer.memory.facts import Entries, Fact, Facts, no_entries
from trainer.model import LanguageModel

_NEAREST: Final = 1 - 2e-5  # cosine: contexts that are closer are the same to fp32


@dataclass(frozen=True, slots=True)
class _Read:
    """A conversation as the model reads it."""

    contexts: Tensor  # (n, 2 D)
    ids: Tensor  # (n,), what comes next
    answer: Tensor  # (n,) bool: that is a part of the answer, or its end


def new_facts(model: LanguageModel, known: Sequence[Fact] = ()) -> Facts:
    """An empty memory.

    Args:
        model: one with a fact memory; its weights must not change while it has facts, or `rewrite` is called.
        known: questions that it answers by its weights, which no fact must disturb: all of them, or a sample.

    Raises:
        ConfigError: the model has no fact memory.

    """
    if model.mean is None:
        raise ConfigError("This model has no fact memory; train the recipe ghost_memory.")
    return Facts(no_entries(model.shape.width, model.head.weight.device), known=list(known))


def write(model: LanguageModel, facts: Facts, added: Sequence[Fact]) -> None:
    """Adds facts; one with the question of an older fact replaces it.

    Raises:
        DataError: the model cannot tell a question from another one; then nothing is added.

    """
    if refused := _write(model, facts, added, whole=True):
        raise DataError(f"The model cannot tell {refused[0].question!r} from something it knows; word it differently.")


def write_apart(model: LanguageModel, facts: Facts, added: Sequence[Fact]) -> list[Fact]:
    """Adds the facts that the model can tell apart from everything else; returns the others."""
    return _write(model, facts, added, whole=False)


def _write(model: LanguageModel, facts: Facts, added: Sequence[Fact], *, whole: bool) -> list[Fact]:
    """What the model cannot tell apart, the first alone where it is all or nothing."""
    latest = {fact.question: fact for fact in added}
    replaced = Facts(facts.entries, list(facts.facts), list(facts.uses), facts.known)
    replaced.without(list(latest))
    others = [_read(model, fact) for fact in facts.known if fact.question not in latest]
    refused: list[Fact] = []
    for fact in latest.values():
        if not _add(model, replaced, fact, others):
            refused.append(fact)
            if whole:
                return refused
    facts.entries, facts.facts, facts.uses = replaced.entries, replaced.facts, replaced.uses
    return refused


def rewrite(model: LanguageModel, facts: Facts) -> None:
    """Writes all facts anew, after the weights have changed. Raises DataError as `write` does."""
    again = new_facts(model, facts.known)
    write(model, again, facts.facts)
    facts.entries = again.entries


def _add(model: LanguageModel, facts: Facts, fact: Fact, others: Sequence[_Read]) -> bool:
    """Whether the model can tell the fact apart; if not, nothing is added.

    A context of another question narrows the gate whatever comes next in it, for questions that nobody has seen lie
    around it; but only one in which something else comes next is a contradiction.
    """
    read = _read(model, fact)
    keys, ids = read.contexts[read.answer], read.ids[read.answer]
    own = (keys @ read.contexts.T).masked_fill(ids[:, None] == read.ids, 0.0)
    nearest = contradicting = own.max(1).values
    old = facts.entries
    for contexts, following in ((old.keys, old.ids), *((other.contexts, other.ids) for other in others)):
        if len(contexts):
            cosines = keys @ contexts.T
            nearest = nearest.maximum(cosines.max(1).values)
            differing = cosines.masked_fill(ids[:, None] == following, 0.0)
            contradicting = contradicting.maximum(differing.max(1).values)
    if float(contradicting.max()) > _NEAREST:
        return False
    nearest = nearest.clamp(max=_NEAREST)
    old_nearest = old.nearest
    if len(old.keys):
        old_nearest = old_nearest.maximum((old.keys @ read.contexts.T).max(1).values).clamp(max=_NEAREST)
    owner = torch.full_like(ids, len(facts.facts))
    facts.entries = Entries(
        torch.cat([old.keys, keys]),
        torch.cat([old.ids, ids]),
        torch.cat([old.owners, owner]),
        torch.cat([old_nearest, nearest]),
    )
    facts.facts.append(fact)
    facts.uses.append(0)
    return True


@torch.inference_mode()
def _read(model: LanguageModel, fact: Fact) -> _Read:
    document = of_conversation([("user", fact.question), ("assistant", fact.answer)], "answers")
    device = model.head.weight.device
    ids = torch.from_numpy(document.ids.astype("int64")).to(device)
    contexts = model.read(ids[None, :-1]).contexts
    if contexts is None:
        raise ConfigError("This model has no fact memory; train the recipe ghost_memory.")
    return _Read(contexts[0], ids[1:], torch.from_numpy(document.weights[1:] > 0).to(device))
