"""How often the verifier is fooled: planted items, their fates, the bounds and the alarm; pure, it plants nothing."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ghostd.core.concept import Concept

_Z = 1.959963984540054  # the normal deviate of a two-sided 95 % interval
_SLIPS = 3  # false accepts that make a case against the verifier; see `judge`
_SHOWN = 20  # misjudged items that a tally names
_EXTRAS = 20  # one deep misconception and one harmless fault for so many false items


class Label(StrEnum):
    """What is known of a planted item."""

    FALSE = "false"  # some execution can tell: has to be rejected
    DEEP = "deep"  # one error in all that one teacher says: only another teacher can tell
    HARMLESS = "harmless"  # a fault of delivery: right once it is delivered
    TRUE = "true"  # has to be accepted


@dataclass(frozen=True, slots=True)
class Order:
    """How many items of each label to plant."""

    false: int
    true: int
    deep: int = 0
    harmless: int = 0
    seed: int = 0  # of every draw: the same order plants the same items
    kind: str = ""  # this kind only, as many as are ordered for its label; '' spreads evenly over all


@dataclass(frozen=True, slots=True)
class Planted:
    """One item whose truth is known."""

    kind: str
    label: Label
    concept: Concept
    lies: frozenset[str] = frozenset()  # checks of false claims: accepted means that one was believed


@dataclass(frozen=True, slots=True)
class Fate:
    """What the pipeline made of one item."""

    accepted: bool
    reason: str = ""  # of the rejection
    mutants_killed: int = 0
    mutants_total: int = 0  # 0 for items that were not accepted


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of a share, from 0 to 1."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tally:
    """The items of one kind, counted."""

    kind: str
    label: Label
    planted: int
    accepted: int
    mutants_killed: int = 0  # over the accepted items
    mutants_total: int = 0
    reasons: tuple[tuple[str, int], ...] = ()  # of rejections, the most frequent first
    misjudged: tuple[str, ...] = ()  # slugs of concepts: false accepts or false rejects

    @property
    def accepts(self) -> Interval:
        """The share of accepted items, with its bounds."""
        return wilson(self.accepted, self.planted)

    @property
    def rejects(self) -> Interval:
        """The share of rejected items, with its bounds."""
        return wilson(self.planted - self.accepted, self.planted)

    @property
    def wrong(self) -> int:
        """Items that were judged wrongly; of a harmless fault either judgement is right."""
        match self.label:
            case Label.TRUE:
                return self.planted - self.accepted
            case Label.HARMLESS:
                return 0
            case _:
                return self.accepted


@dataclass(frozen=True, slots=True)
class Alarm:
    """The verifier was found fooled, and crystallisation pauses."""

    reason: str  # the figures
    raised_at: float  # seconds since the epoch


class Standing(StrEnum):
    """What the items say of the verifier."""

    GOOD = "good"  # shown to be fooled no more often than allowed
    UNDECIDED = "undecided"  # too few items to show either
    FOOLED = "fooled"  # the alarm


def wilson(hits: int, trials: int) -> Interval:
    """The 95 % score interval of a share (Wilson 1927, Probable Inference, JASA 22:209-212); 0 to 1 without trials.

    Raises ValueError for counts that no sample has.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} of {trials} is no share")
    if trials == 0:
        return Interval(0.0, 1.0)
    share, weight = hits / trials, _Z * _Z / trials
    centre = share + weight / 2
    spread = _Z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    low = 0.0 if hits == 0 else (centre - spread) / (1 + weight)
    high = 1.0 if hits == trials else (centre + spread) / (1 + weight)
    return Interval(low, high)


def items_needed(bound: float) -> int:
    """How many false items, all rejected, bring the upper bound of false accepts down to `bound`."""
    return math.ceil(_Z * _Z * (1 - bound) / bound)


def daily_order(items: int, seed: int, *, false: int = 0) -> Order:
    """The day's sample: six of ten false, three true, the rest deep and harmless; at least `false` false ones."""
    extra = items // 10
    true = items * 3 // 10
    return Order(max(items - true - extra, false), true, extra - extra // 2, extra // 2, seed)


def order_of(false: int, true: int, seed: int, kind: str = "", label: Label | None = None) -> Order:
    """An order on demand; with a kind, `false` items of it, or `true` ones where its label is true."""
    if not kind:
        extra = -(-false // _EXTRAS)
        return Order(false, true, extra, extra, seed)
    return Order(
        false=false if label is Label.FALSE else 0,
        true=true if label is Label.TRUE else 0,
        deep=false if label is Label.DEEP else 0,
        harmless=false if label is Label.HARMLESS else 0,
        seed=seed,
        kind=kind,
    )


def tally(items: Iterable[tuple[Planted, Fate]]) -> tuple[Tally, ...]:
    """The items counted by kind, in the order of labels and kinds."""
    by_kind: dict[tuple[Label, str], list[tuple[Planted, Fate]]] = {}
    for planted, fate in items:
        by_kind.setdefault((planted.label, planted.kind), []).append((planted, fate))
    order = list(Label)
    counted = sorted(by_kind.items(), key=lambda one: (order.index(one[0][0]), one[0][1]))
    return tuple(_tally(kind, label, group) for (label, kind), group in counted)


def _tally(kind: str, label: Label, group: Sequence[tuple[Planted, Fate]]) -> Tally:
    accepted = [fate for _, fate in group if fate.accepted]
    wrong = [planted.concept.slug for planted, fate in group if fate.accepted != (label is Label.TRUE)]
    return Tally(
        kind=kind,
        label=label,
        planted=len(group),
        accepted=len(accepted),
        mutants_killed=sum(fate.mutants_killed for fate in accepted),
        mutants_total=sum(fate.mutants_total for fate in accepted),
        reasons=tuple(Counter(fate.reason for _, fate in group if fate.reason).most_common(5)),
        misjudged=() if label is Label.HARMLESS else tuple(wrong[:_SHOWN]),
    )


def total(tallies: Iterable[Tally], label: Label) -> Tally:
    """All kinds of one label as one tally."""
    of_label = [one for one in tallies if one.label is label]
    return Tally(
        kind=label.value,
        label=label,
        planted=sum(one.planted for one in of_label),
        accepted=sum(one.accepted for one in of_label),
        mutants_killed=sum(one.mutants_killed for one in of_label),
        mutants_total=sum(one.mutants_total for one in of_label),
        misjudged=tuple(slug for one in of_label for slug in one.misjudged)[:_SHOWN],
    )


def judge(tallies: Sequence[Tally], bound: float) -> Standing:
    """Whether false items are accepted more often than `bound`, judged over all that execution can catch.

    Good: the upper Wilson bound is at or below `bound`, which takes `items_needed(bound)` items at least.
    Fooled: at least three false accepts, and either the lower bound lies above `bound`, or there were items enough to
    show it and the upper bound is still above. Three, because Wilson's lower bound is too bold for one or two hits in
    a small sample: one in ten puts it at 1.8 %, though a verifier at 1 % shows as much in every tenth such sample. One
    that is fooled once in a thousand times shows three false accepts among 381 items in 0.7 % of samples.
    """
    false = total(tallies, Label.FALSE)
    bounds = false.accepts
    if bounds.high <= bound:
        return Standing.GOOD
    proven = bounds.low > bound or false.planted >= items_needed(bound)
    return Standing.FOOLED if false.accepted >= _SLIPS and proven else Standing.UNDECIDED


def sentence(tallies: Sequence[Tally], bound: float) -> str:
    """The figures behind the judgement, in words."""
    false = total(tallies, Label.FALSE)
    low, high = (f"{100 * one:.2f} %" for one in (false.accepts.low, false.accepts.high))
    said = f"{false.accepted} of {false.planted} false items were accepted, a rate between {low} and {high}"
    return f"{said} where {100 * bound:g} % is allowed"
