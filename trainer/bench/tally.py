"""Tables of the bench of the diagnostics: by fault, by model, and how sure the rate of false alarms is."""

import math
from collections.abc import Sequence
from statistics import median
from typing import Final

from trainer.bench.faults import FAULTS
from trainer.bench.sabotage import Outcome

NAMED: Final = 0.9  # of the faults, by component and kind
FALSE: Final = 0.05  # of the unbroken runs
_CONFIDENCE: Final = 0.95
_WIDTHS: Final = (8, 13, 20, 16, 16)


def tables(outcomes: Sequence[Outcome]) -> list[str]:
    """Lines for the terminal: both tables, the totals, and what was named wrongly."""
    broken = [each for each in outcomes if each.fault]
    clean = [each for each in outcomes if not each.fault]
    return [*_by_fault(broken), "", *_by_model(outcomes), "", *_totals(broken, clean), *_mistakes(outcomes)]


def reached(outcomes: Sequence[Outcome]) -> bool:
    """Whether both goals are, by the counts themselves."""
    broken = [each for each in outcomes if each.fault]
    clean = [each for each in outcomes if not each.fault]
    alarmed = sum(1 for each in clean if each.false_alarms())
    return sum(map(Outcome.right, broken)) >= NAMED * len(broken) and alarmed <= FALSE * len(clean)


def highest_share(count: int, of: int) -> float:
    """The upper bound of a share of which `count` of `of` was seen: one-sided, 95 % (Clopper and Pearson 1934)."""
    low, high = 0.0, 1.0
    if count >= of:
        return high
    while high - low > 1e-9:  # noqa: PLR2004  # far below what is printed
        share = (low + high) / 2
        if _at_most(count, of, share) > 1 - _CONFIDENCE:
            low = share
        else:
            high = share
    return high


def _at_most(count: int, of: int, share: float) -> float:
    """The probability of so many or fewer, where each of `of` has the probability `share`."""
    return math.fsum(math.comb(of, each) * share**each * (1 - share) ** (of - each) for each in range(count + 1))


def _by_fault(broken: Sequence[Outcome]) -> list[str]:
    names = ("right", "named after", "loss shows after", "ahead of loss", "of divergence")
    lines = ["fault".ljust(44) + "".join(name.rjust(width) for name, width in zip(names, _WIDTHS, strict=True))]
    for fault in FAULTS:
        runs = [each for each in broken if each.fault == fault.name]
        if runs:
            named = [step - each.at for each in runs if (step := each.recognised()) is not None]
            shown = [each.shown - each.at for each in runs if each.shown is not None]
            hidden = f" ({len(runs) - len(shown)} never)" if len(shown) < len(runs) else ""
            right = f"{sum(map(Outcome.right, runs))}/{len(runs)}"
            cells = (
                right,
                _middle(named),
                _middle(shown) + hidden,
                _ahead([each.shown for each in runs], runs),
                _ahead([each.diverged for each in runs], runs),
            )
            lines.append(fault.name.ljust(44) + "".join(map(str.rjust, cells, _WIDTHS)))
    return lines


def _ahead(signs: Sequence[int | None], runs: Sequence[Outcome]) -> str:
    """Steps from the right name to the sign: median, least and most."""
    steps = [
        sign - named
        for sign, each in zip(signs, runs, strict=True)
        if sign is not None and (named := each.recognised()) is not None
    ]
    return f"{round(median(steps))} ({min(steps)}..{max(steps)})" if steps else "-"


def _middle(values: Sequence[int]) -> str:
    return str(round(median(values))) if values else "-"


def _by_model(outcomes: Sequence[Outcome]) -> list[str]:
    lines = [f"{'model':<16}{'right':>10}{'faults':>8}{'unbroken':>10}{'alarmed':>9}"]
    for model in dict.fromkeys(each.model for each in outcomes):
        runs = [each for each in outcomes if each.model == model]
        broken = [each for each in runs if each.fault]
        clean = [each for each in runs if not each.fault]
        right = f"{sum(map(Outcome.right, broken))}/{len(broken)}"
        alarmed = sum(1 for each in clean if each.false_alarms())
        lines.append(f"{model:<16}{right:>10}{len({each.fault for each in broken}):>8}{len(clean):>10}{alarmed:>9}")
    return lines


def _totals(broken: Sequence[Outcome], clean: Sequence[Outcome]) -> list[str]:
    right, alarmed = sum(map(Outcome.right, broken)), sum(1 for each in clean if each.false_alarms())
    early = sum(1 for each in broken if each.false_alarms())
    kinds = len({each.fault for each in broken})
    setups = len({each.setup for each in clean})
    return [
        f"named right: {right} of {len(broken)} ({right / max(1, len(broken)):.1%}), {kinds} faults; goal {NAMED:.0%}",
        f"false alarms: {alarmed} of {len(clean)} unbroken runs in {setups} set-ups; goal {FALSE:.0%}",
        f"  at most {highest_share(alarmed, len(clean)):.1%} of all such runs, with {_CONFIDENCE:.0%} confidence",
        f"diagnoses before the fault: in {early} of {len(broken)} broken runs",
    ]


def _mistakes(outcomes: Sequence[Outcome]) -> list[str]:
    lines = []
    for each in outcomes:
        if (each.fault and not each.right()) or each.false_alarms():
            said = ", ".join(f"{step} {what}" for step, what in each.named[:3]) or "nothing"
            what = each.fault or f"unbroken, {each.setup}"
            lines.append(f"  {each.model}, seed {each.seed}, {what}: {each.expected} | {said}")
    return lines
