"""Which open concepts to learn next: a pure choice with its reason, no I/O."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

COVERAGE, YIELD, PREREQUISITES, NOVELTY = 0.35, 0.25, 0.25, 0.15  # weights; they sum to 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """An open concept and what is known around it."""

    slug: str
    domain: str
    lineage: str
    prerequisites_met: float  # share of its prerequisites that have a crystal, 0..1; 1 when it has none
    domain_crystals: int
    domain_attempts: int  # finished ones
    domain_verified: int
    lineage_crystals: int  # variants of the same parent that are crystals already


@dataclass(frozen=True, slots=True)
class Choice:
    """A concept that was chosen, and why; the reason is stored and shown as it is."""

    slug: str
    score: float
    reason: dict[str, float]


def select(candidates: Sequence[Candidate], count: int) -> list[Choice]:
    """The best `count` candidates, greedily: each choice lowers the coverage and novelty of its neighbours.

    coverage       1 / (1 + share of the best covered domain), so that thin domains come first
    yield          verified / attempts of the domain with one success and one failure added (Laplace)
    prerequisites  share of prerequisites that are crystals
    novelty        1 / (1 + crystals of the same lineage)
    """
    remaining = list(candidates)
    chosen_in_domain: Counter[str] = Counter()
    chosen_in_lineage: Counter[str] = Counter()
    choices: list[Choice] = []
    while remaining and len(choices) < count:
        most = max(one.domain_crystals + chosen_in_domain[one.domain] for one in remaining)
        scored = [_score(one, most, chosen_in_domain, chosen_in_lineage) for one in remaining]
        index = max(range(len(scored)), key=lambda position: (scored[position].score, remaining[position].slug))
        best = remaining.pop(index)
        choices.append(scored[index])
        chosen_in_domain[best.domain] += 1
        chosen_in_lineage[best.lineage] += 1
    return choices


def _score(one: Candidate, most: int, domains: Counter[str], lineages: Counter[str]) -> Choice:
    covered = one.domain_crystals + domains[one.domain]
    parts = {
        "coverage": 1.0 / (1.0 + covered / most) if most else 1.0,
        "yield": (one.domain_verified + 1) / (one.domain_attempts + 2),
        "prerequisites": one.prerequisites_met,
        "novelty": 1.0 / (1.0 + one.lineage_crystals + lineages[one.lineage]),
    }
    score = (
        COVERAGE * parts["coverage"]
        + YIELD * parts["yield"]
        + PREREQUISITES * parts["prerequisites"]
        + NOVELTY * parts["novelty"]
    )
    return Choice(one.slug, round(score, 6), {name: round(value, 4) for name, value in parts.items()})


def wanted_concepts(open_concepts: int, in_flight: int, target_backlog: int) -> int:
    """How many concepts curiosity should ask for: enough to refill the backlog, 0 while it is at least half full."""
    missing = target_backlog - open_concepts
    if open_concepts + in_flight > target_backlog // 2:
        return 0
    return max(0, missing)


def is_saturated(admitted: int, proposed: int, *, minimum_proposed: int = 40, share: float = 0.1) -> bool:
    """Whether novelty dries up: of the last proposals, less than `share` were new."""
    return proposed >= minimum_proposed and admitted < share * proposed
