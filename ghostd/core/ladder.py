"""The ladder's decisions: from outcomes to failures, verdicts and grades; it runs nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ghostd.core.crystal import CheckedClaim, Grade, Stage, VerdictKind
from ghostd.core.evidence import CallOutcome, ExitClass, Outcome, Variation
from ghostd.core.lesson import Failure

ARTIFACT_CHARACTERS = 4000  # what a teacher gets to see of one failure
_STOPPED = {
    ExitClass.TIMEOUT: "it did not end within its time",
    ExitClass.OOM: "it used more memory than allowed",
    ExitClass.OUTPUT_LIMIT: "it wrote more output than allowed",
    ExitClass.SIGNAL: "it was ended by a signal",
    ExitClass.FORBIDDEN: "it made a system call that the sandbox forbids",
}
_EXCEPTIONS = {"EarlyExit": "early_exit", "NotCanonical": "not_canonical"}
_CHANCE = frozenset({"clock", "random", "entropy", "environment"})
_ADDRESS = re.compile(r'(?<!"int":")(?<!"int":"-)0x[0-9a-f]{6,}')  # a large integer's canonical form is no address
_PASSED = {  # the failing rung -> the last stage that was passed, the grade that it leaves
    "static": (Stage.PARSED, Grade.NONE),
    "executed": (Stage.PARSED, Grade.NONE),
    "reproducible": (Stage.EXECUTED, Grade.EXECUTED),
    "tested": (Stage.REPRODUCIBLE, Grade.REPRODUCIBLE),
    "audited": (Stage.REPRODUCIBLE, Grade.REPRODUCIBLE),
    "corroborated": (Stage.TESTED, Grade.TESTED),
}
_REFUTING = ("executed.", "tested.exam_failed", "tested.property_failed", "tested.claims_refuted", "audited.")
_CONTESTED = "corroborated.disagreement"
_FLAKY = ("reproducible.", "static.nondeterminism")


@dataclass(frozen=True, slots=True)
class Replay:
    """What one replay showed, reduced to what the decision needs."""

    variation: Variation
    result_hash: str
    outcome: Outcome
    cell_id: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the lesson's code and an independent solution made of one argument list."""

    arguments: str
    lesson: str  # canonical value, or the exception
    solution: str  # likewise
    agrees: bool | None  # None: one of them gave no value, so the list may lie outside the domain
    rough: bool = False  # generated and with a float in it, where rounding alone may decide a boundary


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Kind, grade and waterfall stage: the head of a verdict."""

    kind: VerdictKind
    grade: Grade
    reached: Stage
    failure: Failure | None


def failure(reason: str, artifact: str = "") -> Failure:
    """A failure whose rung is the reason's first word; the artifact is capped at `ARTIFACT_CHARACTERS`."""
    return Failure(rung=reason.split(".", 1)[0], reason=reason, artifact=artifact[:ARTIFACT_CHARACTERS])


def judge_execution(outcome: Outcome, arguments: Sequence[str]) -> Failure | None:
    """Whether the code ran to its end and answered its exercises, given as `arguments` in call order.

    A failing check, or an exception that only the exam provoked, is the exam's business, not this rung's.
    """
    if outcome.exit_class in _STOPPED:
        return failure(f"executed.{outcome.exit_class.value}", f"{_STOPPED[outcome.exit_class]}\n{_trouble(outcome)}")
    if outcome.exception_type in _EXCEPTIONS:
        return failure(f"executed.{_EXCEPTIONS[outcome.exception_type]}", _trouble(outcome))
    for position, source in enumerate(arguments):
        call = outcome.calls[position] if position < len(outcome.calls) else CallOutcome()
        if not (call.value or call.exception):
            return failure("executed.error", f"no answer for the arguments ({source})\n{_trouble(outcome)}")
        if call.exception:
            named = _EXCEPTIONS.get(call.exception.split(":", 1)[0], "error")
            return failure(f"executed.{named}", f"the call with arguments ({source}) raised {call.exception}")
    answered = outcome.ok or any(check.reached for check in outcome.checks)
    return None if answered else failure("executed.error", _trouble(outcome))


def blame_chance(found: Failure, outcome: Outcome) -> Failure:
    """The failure of an execution, or its touching a source of chance: what fails by chance is flaky, not wrong."""
    chances = sorted(set(outcome.taints) & _CHANCE)
    return failure("reproducible." + "+".join(chances), found.artifact) if chances else found


def judge_replays(first: Replay, replays: Sequence[Replay]) -> Failure | None:
    """Whether every replay agrees with the first run and none touched a source of non-determinism.

    The replays change one factor at a time, so the factor that a difference follows names its class.
    """
    taints = sorted({taint for one in (first, *replays) for taint in one.outcome.taints})
    if taints:
        return failure("reproducible." + "+".join(taints), "the code uses: " + ", ".join(taints))
    differing = [one for one in replays if one.result_hash != first.result_hash]
    if not differing:
        return None
    agreeing = [one for one in (first, *replays) if one.result_hash == first.result_hash]
    classes = [_difference_class(first, one, agreeing) for one in differing]
    # An unrepeatable program also differs under every other variation; the simplest explanation stands.
    for name in ("time", "address", "random", "hash-order", "clock", "environment", "place"):
        if name in classes:
            return failure(
                f"reproducible.{name}", _first_difference(first.outcome, differing[classes.index(name)].outcome)
            )
    return failure("reproducible.unexplained", _first_difference(first.outcome, differing[0].outcome))


def judge_history(calls: Sequence[str], outcome: Outcome) -> Failure | None:
    """Whether equal argument lists, called again in one execution, were answered alike: no memory of earlier calls."""
    known: dict[str, CallOutcome] = {}
    for arguments, answer in zip(calls, outcome.calls, strict=False):
        if (answer.value or answer.exception) and known.setdefault(arguments, answer) != answer:
            told = f"asked twice for ({arguments}), it gave {_told(known[arguments])} and then {_told(answer)}"
            return failure("reproducible.history", told)
    return None


def judge_exam(outcome: Outcome, checks: Sequence[str]) -> Failure | None:
    """Whether every check of the exam was reached and passed."""
    for position, source in enumerate(checks):
        seen = outcome.checks[position] if position < len(outcome.checks) else None
        if seen is None or not seen.reached:
            return failure("tested.exam_failed", f"this check was never reached:\n{source}\n{_trouble(outcome)}")
        if not seen.passed:
            return failure("tested.exam_failed", f"this check failed:\n{source}\n{seen.message}")
    return None if outcome.ok else failure("tested.exam_failed", _trouble(outcome))


def judge_stubs(accepted: Sequence[str]) -> Failure | None:
    """`accepted` names the stubs that passed the exam; one is too many."""
    if not accepted:
        return None
    listing = ", ".join(accepted)
    return failure(f"tested.stub_accepted:{accepted[0]}", f"the exam passes stubs that compute nothing: {listing}")


def judge_mutants(killed: int, survivors: Sequence[str], minimum_share: float, minimum_count: int) -> Failure | None:
    """Whether the exam notices damage. `survivors` describe the non-equivalent mutants that passed it."""
    total = killed + len(survivors)
    if total < minimum_count:
        return failure("tested.too_few_mutants", f"only {total} mutants of the code behave differently from it")
    if killed < minimum_share * total:
        listing = "\n".join(survivors)
        return failure(
            "tested.mutants_survived", f"the exam misses {len(survivors)} of {total} damaged versions:\n{listing}"
        )
    return None


def judge_claims(claims: Sequence[CheckedClaim]) -> Failure | None:
    """A lesson whose checkable claims are mostly false teaches nothing, whatever its code does."""
    refuted = [one.claim for one in claims if one.status == "refuted"]
    verified = sum(one.status == "verified" for one in claims)
    if len(refuted) <= verified:
        return None
    listing = "\n".join(f"- {claim.text} [{claim.check}]" for claim in refuted)
    return failure("tested.claims_refuted", f"these claims do not hold:\n{listing}")


def judge_properties(properties: Sequence[CheckedClaim]) -> Failure | None:
    """Whether every law of the exam holds, as far as it can be checked."""
    broken = [one for one in properties if one.status == "refuted"]
    if not broken:
        return None
    listing = "\n".join(f"- {one.claim.check} [{one.result}]" for one in broken)
    return failure("tested.property_failed", f"the code breaks these laws of its exam:\n{listing}")


def judge_solution(outcome: Outcome, arguments: Sequence[str]) -> Failure | None:
    """Whether an independent solution may bear witness: it answers the exercises, and leaves nothing to chance.

    `arguments` are the exercises' argument lists, which were called first. Running out of time later, on some
    generated argument list, is no defect of a slow but plain method.
    """
    taints = sorted(set(outcome.taints) & _CHANCE)
    if taints:
        return failure("corroborated.solution_broken", "the solution uses: " + ", ".join(taints))
    answered = [bool(call.value) for call in outcome.calls[: len(arguments)]]
    if len(answered) == len(arguments) and all(answered):
        return None
    found = judge_execution(outcome, arguments)
    return failure("corroborated.solution_broken", found.artifact if found else _trouble(outcome))


def judge_corroboration(comparisons: Sequence[Comparison], minimum: int) -> Failure | None:
    """Whether lesson and solution agree on at least `minimum` argument lists and differ on none.

    A difference is never outvoted by agreement, however many lists agree; a single rough one is put down to
    rounding, two are not.
    """
    different = [one for one in comparisons if one.agrees is False]
    if len(different) > 1 or any(not one.rough for one in different):
        first = min(different, key=lambda one: one.rough)
        told = f"arguments: ({first.arguments})\nthe lesson's code: {first.lesson}\na solution written independently"
        return failure(_CONTESTED, f"{told}: {first.solution}\nThe statement decides which of them is wrong.")
    agreed = sum(one.agrees is True for one in comparisons)
    if agreed < minimum:
        told = f"lesson and solution could be compared on {agreed} argument lists, {minimum} are needed"
        return failure("corroborated.too_few_inputs", told)
    return None


def conclude(reason: Failure | None, minimum: Grade = Grade.TESTED, climbed: Grade = Grade.TESTED) -> Conclusion:
    """The verdict's head. `reason` is the first failure on the way up, None when nothing spoke against `climbed`.

    A failure that says nothing against the lesson (a weak exam) still leaves the grade below it; that is
    enough when `minimum` asks for no more. What refutes or is flaky is never kept, at any grade, nor what an
    independent solution contradicts: that falls below `tested`, because its exam may share the error.
    """
    if reason is None and climbed < minimum:
        reason = failure("corroborated.no_solution", "no independent solution was compared with the lesson's code")
    if reason is None:
        return Conclusion(VerdictKind.VERIFIED, climbed, Stage.TESTED, None)
    reached, grade = _PASSED[reason.rung]
    if reason.reason == _CONTESTED:
        return Conclusion(VerdictKind.INCONCLUSIVE, Grade.REPRODUCIBLE, reached, reason)
    if reason.reason.startswith(_FLAKY):
        return Conclusion(VerdictKind.FLAKY, grade, reached, reason)
    if reason.reason.startswith(_REFUTING):
        return Conclusion(VerdictKind.REFUTED, grade, reached, reason)
    if Grade.NONE < minimum <= grade:
        return Conclusion(VerdictKind.VERIFIED, grade, reached, None)
    return Conclusion(VerdictKind.INCONCLUSIVE, grade, reached, reason)


def _difference_class(first: Replay, other: Replay, agreeing: Sequence[Replay]) -> str:
    if other.outcome.exit_class is ExitClass.TIMEOUT:
        return "time"
    if any(_ADDRESS.search(call.value + call.exception) for call in other.outcome.calls):
        return "address"
    if other.cell_id not in {one.cell_id for one in agreeing}:
        return "place"
    changed = _changed_factors(first, other)
    harmless = {name for one in agreeing for name in _changed_factors(first, one)}
    suspects = [name for name in changed if len(changed) == 1 or name not in harmless]
    return suspects[0] if len(suspects) == 1 else "unexplained" if changed else "random"


def _changed_factors(first: Replay, other: Replay) -> list[str]:
    factors = (("hash-order", "hash_seed"), ("clock", "start_time"), ("environment", "workspace"))
    return [name for name, field in factors if getattr(first.variation, field) != getattr(other.variation, field)]


def _first_difference(first: Outcome, other: Outcome) -> str:
    for position, (one, two) in enumerate(zip(first.calls, other.calls, strict=False), start=1):
        if one != two:
            return f"call {position} gave {_told(one)} and then {_told(two)}"
    return f"one run ended with {first.exit_class.value}, another with {other.exit_class.value}\n{_trouble(other)}"


def _told(call: CallOutcome) -> str:
    return call.value or call.exception


def _trouble(outcome: Outcome) -> str:
    raised = f"{outcome.exception_type}: {outcome.exception_message}" if outcome.exception_type else ""
    return "\n".join(part for part in (raised, outcome.stderr[-2000:]) if part)
