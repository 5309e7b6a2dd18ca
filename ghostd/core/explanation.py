"""Why a lesson is believed, or is not: sentences over the evidence of its executions; it decides nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ghostd.core.evidence import Evidence

_RUNGS = ("executed", "reproducible", "tested", "corroborated", "audited")  # those that execute, from the lowest
_MEANINGS = {  # beginnings of reasons, the longer ones first, and what they mean for the lesson
    "static.exam": "the exam cannot judge anything as it stands; the lesson was not run",
    "static.nondeterminism": "the code reaches for chance, a clock or an address; it was not run",
    "static.": "reading the code was enough to refuse it; it was not run",
    "executed.contradiction": "the teacher's own answer to an exercise is not what its code returns",
    "executed.": "the code did not run to its end, or left an exercise without an answer",
    "reproducible.": "the same code on the same arguments did not always give the same result",
    "tested.exam_failed": "the code fails an exam that was written without seeing it",
    "tested.property_failed": "the code breaks a law that its exam states for all arguments",
    "tested.claims_refuted": "most of what the explanation claims is false for the code beside it",
    "tested.": "the exam passes, but would have passed damaged or empty code too: it proves nothing",
    "corroborated.disagreement": "a solution written from the statement alone gives another value: one is wrong",
    "corroborated.": "no independent solution could be compared with the code",
    "audited.": "the crystal no longer does what it recorded",
    "internal.": "the lesson could not be brought to a verdict; nothing is said about its truth",
    "lesson.": "the teacher gave no lesson that could be read",
    "exam.": "the teacher gave no exam that could be read",
    "duplicate": "a crystal says the same already",
}


@dataclass(frozen=True, slots=True)
class RungAccount:
    """What one rung ran, what that showed, and what it cost."""

    rung: str
    executions: int
    against: int  # executions that spoke against the lesson
    cpu_seconds: float
    wall_seconds: float
    shown: tuple[str, ...]  # sentences


def meaning(reason: str) -> str:
    """A failure's reason in words; '' for one that has none."""
    return next((words for beginning, words in _MEANINGS.items() if reason.startswith(beginning)), "")


def explain(evidence: Sequence[Evidence]) -> tuple[RungAccount, ...]:
    """One account for each rung that executed anything, from the lowest to the highest."""
    rungs = dict.fromkeys((*_RUNGS, *(one.rung for one in evidence)))
    accounts = ((rung, [one for one in evidence if one.rung == rung]) for rung in rungs)
    return tuple(
        RungAccount(
            rung,
            len(rows),
            sum(not one.supports for one in rows),
            sum(one.outcome.cpu_seconds for one in rows),
            sum(one.outcome.wall_seconds for one in rows),
            tuple(_shown(rung, rows)),
        )
        for rung, rows in accounts
        if rows
    )


def _shown(rung: str, rows: Sequence[Evidence]) -> Iterable[str]:
    match rung:
        case "executed":
            return map(_first_run, rows)
        case "reproducible":
            return _replays(rows)
        case "tested":
            return _damage(rows)
        case "corroborated":
            return map(_solution, rows)
    return (f"{len(rows)} runs in a fresh cell, {_spoke(rows)}",)


def _first_run(one: Evidence) -> str:
    answered = sum(bool(call.value) for call in one.outcome.calls)
    passed = sum(check.passed for check in one.outcome.checks)
    ended = f"{one.outcome.exit_class.value} {one.outcome.exception_type}".strip()
    return (
        f"{answered} of {len(one.run.calls)} calls answered, {passed} of {len(one.run.checks)} checks of the exam "
        f"passed, ended with {ended}"
    )


def _replays(rows: Sequence[Evidence]) -> Iterable[str]:
    variations = [one.run.variation for one in rows]
    seeds, clocks, names = (
        len({getattr(one, factor) for one in variations}) for factor in ("hash_seed", "start_time", "workspace")
    )
    cells = len({one.place.cell_id for one in rows})
    yield (
        f"{len(rows)} replays over {_count(seeds, 'hash seed')}, {_count(clocks, 'clock')}, {_count(names, 'name')} "
        f"and {_count(cells, 'cell')}: {_spoke(rows)}"
    )
    taints = sorted({taint for one in rows for taint in one.outcome.taints})
    if taints:
        yield f"the code touched: {', '.join(taints)}"


def _damage(rows: Sequence[Evidence]) -> Iterable[str]:
    stubs, mutants, survivors, claims, damaged, control = (
        [one for one in rows if one.purpose.startswith(beginning)]
        for beginning in ("stub:", "mutant:", "inputs:mutant:", "claims", "claims:", "control")
    )
    if stubs:
        accepted = [one.purpose.removeprefix("stub:") for one in stubs if not one.supports]
        yield f"{len(stubs) - len(accepted)} of {len(stubs)} stubs rejected" + (
            f"; taken for right: {', '.join(accepted)}" if accepted else ""
        )
    if mutants:
        killed = sum(one.supports for one in mutants)
        alike = sum(one.supports for one in survivors)
        left = f"; {alike} of the rest could not be told from the original on generated arguments" if survivors else ""
        yield f"{killed} of {len(mutants)} mutants killed by the exam{left}"
    if control:
        yield f"the code itself, run last among them: {'passed' if control[-1].supports else 'failed'}"
    if claims:
        yield f"claims and laws put to the code and to {_count(len(damaged), 'damaged version')} of it"


def _solution(one: Evidence) -> str:
    answered = sum(bool(call.value) for call in one.outcome.calls)
    spoke = "agreed with the lesson" if one.supports else "did not agree, or was broken"
    return f"an independent solution answered {answered} of {len(one.run.calls)} argument lists and {spoke}"


def _spoke(rows: Sequence[Evidence]) -> str:
    against = sum(not one.supports for one in rows)
    return f"{against} differed" if against else "all the same"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
