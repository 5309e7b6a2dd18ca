"""Moves hot facts from the memory into the weights, as sleep does: by replay, among what is known already."""

from typing import Final

from trainer.memory.facts import Facts
from trainer.memory.learning import Learnt, exactly_answered, learn
from trainer.memory.writing import rewrite
from trainer.model import LanguageModel

MOST_STEPS: Final = 200


def hottest(facts: Facts, most: int) -> list[int]:
    """The numbers of the facts that were recalled most often, at least once; the oldest first among equals."""
    used = [number for number, uses in enumerate(facts.uses) if uses]
    return sorted(used, key=lambda number: -facts.uses[number])[:most]


def consolidate(model: LanguageModel, facts: Facts, most: int, most_steps: int = MOST_STEPS) -> Learnt:
    """Learns up to `most` hot facts by gradient, together with all that is known, so that this is not forgotten.

    A fact leaves the memory when the weights alone answer it exactly; from then on it is one of those that are known.
    The facts that stay are written anew, because the weights have changed.

    Returns:
        How learning ended: first the hot facts, then those that were known before.

    Raises:
        DataError: the new weights cannot tell two facts apart; the memory is left as it was, but for new weights.

    """
    hot = [facts.facts[number] for number in hottest(facts, most)]
    if not hot:
        return Learnt(0, exactly_answered(model, facts.known))
    learnt = learn(model, [*hot, *facts.known], most_steps)
    settled = [fact for fact, exact in zip(hot, learnt.exact[: len(hot)], strict=True) if exact]
    facts.without([fact.question for fact in settled])
    replaced = {fact.question for fact in settled}
    facts.known = [*(fact for fact in facts.known if fact.question not in replaced), *settled]
    rewrite(model, facts)
    return learnt
