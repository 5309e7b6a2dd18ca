"""The ladder's decisions, as tables: outcomes in, failure and verdict out."""

import pytest

from ghostd.core import ladder
from ghostd.core.crystal import CheckedClaim, Grade, Stage, VerdictKind
from ghostd.core.evidence import CallOutcome, CheckOutcome, ExitClass, Outcome, Variation
from ghostd.core.ladder import Comparison, Replay
from ghostd.core.lesson import Claim

HELD = CheckOutcome(reached=True, passed=True)
FAILED = CheckOutcome(reached=True, passed=False, message="AssertionError: f(3) == 4")
UNREACHED = CheckOutcome(reached=False, passed=False)


def answered(*values: str, taints: tuple[str, ...] = (), exit_class: ExitClass = ExitClass.OK) -> Outcome:
    return Outcome(exit_class, calls=tuple(CallOutcome(value) for value in values), checks=(HELD,), taints=taints)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (answered("1", "2"), None),
        (
            Outcome(
                ExitClass.ASSERTION, (CallOutcome("1"), CallOutcome("2")), (FAILED,), exception_type="AssertionError"
            ),
            None,
        ),
        (Outcome(ExitClass.ERROR, (CallOutcome("1"), CallOutcome("2")), (FAILED,), exception_type="KeyError"), None),
        (Outcome(ExitClass.TIMEOUT, (CallOutcome("1"), CallOutcome())), "executed.timeout"),
        (Outcome(ExitClass.OOM), "executed.oom"),
        (Outcome(ExitClass.OUTPUT_LIMIT), "executed.output_limit"),
        (Outcome(ExitClass.SIGNAL), "executed.signal"),
        (Outcome(ExitClass.FORBIDDEN), "executed.forbidden"),
        (Outcome(ExitClass.ERROR, exception_type="EarlyExit"), "executed.early_exit"),
        (Outcome(ExitClass.ERROR, (CallOutcome("1"), CallOutcome("", "KeyError: 2"))), "executed.error"),
        (Outcome(ExitClass.ERROR, (CallOutcome("", "NotCanonical: Agreeable"),)), "executed.not_canonical"),
        (Outcome(ExitClass.ERROR, (CallOutcome(), CallOutcome()), exception_type="SyntaxError"), "executed.error"),
        (Outcome(ExitClass.ERROR, (CallOutcome("1"),), exception_type="Tampering"), "executed.error"),
        (Outcome(ExitClass.ERROR, (CallOutcome("1"), CallOutcome("2")), (UNREACHED,)), "executed.error"),
    ],
)
def test_execution_fails_for_the_reason_that_the_outcome_shows(outcome: Outcome, reason: str | None) -> None:
    failure = ladder.judge_execution(outcome, ["1", "2"])
    assert (failure and failure.reason) == reason
    assert failure is None or failure.rung == "executed"


SAME = Variation()
FIRST = Replay(SAME, "same", answered("1"), "cell-1")


def replayed(result_hash: str, variation: Variation = SAME, value: str = "2", cell: str = "cell-1", **more) -> Replay:
    return Replay(variation, result_hash, answered(value, **more), cell)


@pytest.mark.parametrize(
    ("replays", "reason"),
    [
        ([replayed("same"), replayed("same", Variation(hash_seed=1))], None),
        ([replayed("other")], "reproducible.random"),
        ([replayed("other", Variation(hash_seed=1))], "reproducible.hash-order"),
        ([replayed("other", Variation(start_time=5.0))], "reproducible.clock"),
        ([replayed("other", Variation(workspace="x"))], "reproducible.environment"),
        ([replayed("other", Variation(hash_seed=1, start_time=5.0))], "reproducible.unexplained"),
        ([replayed("other", Variation(hash_seed=1), cell="cell-2")], "reproducible.place"),
        (
            [replayed("same", cell="cell-2"), replayed("other", Variation(hash_seed=1), cell="cell-2")],
            "reproducible.hash-order",
        ),
        ([replayed("other", value='"<object at 0x7f1234567890>"')], "reproducible.address"),
        ([replayed("other", exit_class=ExitClass.TIMEOUT)], "reproducible.time"),
        ([replayed("same", taints=("clock",))], "reproducible.clock"),
        ([replayed("other", taints=("random", "clock"))], "reproducible.clock+random"),
        ([replayed("other", Variation(start_time=5.0)), replayed("other")], "reproducible.random"),
    ],
)
def test_a_difference_between_replays_is_named_after_its_cause(replays: list[Replay], reason: str | None) -> None:
    failure = ladder.judge_replays(FIRST, replays)
    assert (failure and failure.reason) == reason


def test_a_taint_of_the_first_run_is_enough_to_be_flaky() -> None:
    first = Replay(Variation(), "same", answered("1", taints=("random",)), "cell-1")
    failure = ladder.judge_replays(first, [replayed("same")])
    assert failure is not None
    assert failure.reason == "reproducible.random"


@pytest.mark.parametrize(
    ("taints", "reason"),
    [
        ((), "executed.error"),
        (("process", "network", "threads"), "executed.error"),
        (("random", "process"), "reproducible.random"),
    ],
)
def test_a_failed_execution_is_flaky_only_when_it_touched_a_source_of_chance(taints, reason) -> None:
    found = ladder.failure("executed.error", "what was seen")
    blamed = ladder.blame_chance(found, Outcome(ExitClass.ERROR, taints=taints))
    assert (blamed.reason, blamed.artifact) == (reason, "what was seen")


@pytest.mark.parametrize(
    ("calls", "values", "flaky"),
    [
        (("1", "2", "1"), ("1", "4", "1"), False),
        (("1", "2", "2", "1"), ("1", "4", "4", "2"), True),
        (("1", "2", "1"), ("1", "4"), False),
        (("1", "2", "1"), ("1", "4", ""), False),
        (("1", "2"), ("1", "1"), False),
    ],
)
def test_equal_arguments_in_one_execution_are_answered_alike(calls, values, flaky) -> None:
    failure = ladder.judge_history(calls, answered(*values))
    assert (failure and failure.reason) == ("reproducible.history" if flaky else None)
    assert failure is None or failure.artifact == "asked twice for (1), it gave 1 and then 2"


@pytest.mark.parametrize(
    ("checks", "exit_class", "fails"),
    [
        ((HELD, HELD), ExitClass.OK, False),
        ((HELD, FAILED), ExitClass.ASSERTION, True),
        ((HELD, UNREACHED), ExitClass.OK, True),  # an exit class alone never passes an exam
        ((HELD,), ExitClass.OK, True),
        ((HELD, HELD), ExitClass.ERROR, True),
    ],
)
def test_an_exam_passes_only_when_every_check_was_reached_and_held(checks, exit_class, fails) -> None:
    failure = ladder.judge_exam(Outcome(exit_class, checks=checks), ["assert f(1) == 1", "assert f(3) == 4"])
    assert (failure is not None) is fails
    assert failure is None or failure.reason == "tested.exam_failed"


def test_the_failing_check_and_its_message_go_back_to_the_teacher() -> None:
    outcome = Outcome(ExitClass.ASSERTION, checks=(HELD, FAILED))
    failure = ladder.judge_exam(outcome, ["assert f(1) == 1", "assert f(3) == 4"])
    assert failure is not None
    assert "assert f(3) == 4" in failure.artifact
    assert "AssertionError" in failure.artifact


def test_one_accepted_stub_is_too_many() -> None:
    assert ladder.judge_stubs([]) is None
    failure = ladder.judge_stubs(["constant", "echo"])
    assert failure is not None
    assert failure.reason == "tested.stub_accepted:constant"


@pytest.mark.parametrize(
    ("killed", "survivors", "reason"),
    [
        (20, 0, None),
        (8, 2, None),
        (7, 2, "tested.mutants_survived"),
        (0, 1, "tested.mutants_survived"),
        (0, 0, "tested.too_few_mutants"),
    ],
)
def test_four_of_five_mutants_have_to_die(killed: int, survivors: int, reason: str | None) -> None:
    failure = ladder.judge_mutants(killed, ["line 1: `+` became `-`"] * survivors, 0.8, 1)
    assert (failure and failure.reason) == reason


@pytest.mark.parametrize(
    ("statuses", "refused"),
    [
        (["verified", "verified", "refuted"], False),
        (["verified", "refuted"], False),
        (["verified", "refuted", "refuted"], True),
        (["unverified", "unverified"], False),
        (["refuted"], True),
        ([], False),
    ],
)
def test_a_lesson_falls_when_more_than_half_of_its_settled_claims_are_false(statuses: list[str], refused: bool) -> None:
    failure = ladder.judge_claims([CheckedClaim(Claim("text", "f(1)"), status) for status in statuses])
    assert (failure and failure.reason) == ("tested.claims_refuted" if refused else None)


def held_with(agrees: bool | None, *, rough: bool = False, arguments: str = "1") -> Comparison:
    return Comparison(arguments, "1", "2", agrees, rough)


AGREED, OTHER, UNKNOWN = (held_with(agrees) for agrees in (True, False, None))
ROUGH = held_with(False, rough=True)


@pytest.mark.parametrize(
    ("comparisons", "reason"),
    [
        ([AGREED] * 8, None),
        ([AGREED] * 7, "corroborated.too_few_inputs"),
        ([AGREED] * 7 + [UNKNOWN] * 50, "corroborated.too_few_inputs"),  # what cannot be compared counts for nothing
        ([AGREED] * 8 + [UNKNOWN], None),
        ([AGREED] * 1000 + [OTHER], "corroborated.disagreement"),  # never outvoted
        ([OTHER], "corroborated.disagreement"),
        ([AGREED] * 8 + [ROUGH], None),  # rounding at a boundary
        ([AGREED] * 8 + [ROUGH] * 2, "corroborated.disagreement"),
        ([AGREED] * 8 + [ROUGH, OTHER], "corroborated.disagreement"),
        ([], "corroborated.too_few_inputs"),
    ],
)
def test_a_solution_corroborates_when_it_agrees_often_enough_and_never_differs(comparisons, reason) -> None:
    failure = ladder.judge_corroboration(comparisons, 8)
    assert (failure and failure.reason) == reason


def test_a_disagreement_shows_the_first_argument_list_that_decides_and_both_values() -> None:
    comparisons = [AGREED, held_with(False, rough=True, arguments="0.1"), held_with(False, arguments="7"), OTHER]
    failure = ladder.judge_corroboration(comparisons, 1)
    assert failure is not None
    assert "arguments: (7)" in failure.artifact
    assert "code: 1" in failure.artifact and "independently: 2" in failure.artifact


@pytest.mark.parametrize(
    ("outcome", "broken"),
    [
        (answered("1", "2"), False),
        (answered("1", "2", "3"), False),
        (Outcome(ExitClass.TIMEOUT, (CallOutcome("1"), CallOutcome("2"), CallOutcome())), False),  # slow, not wrong
        (Outcome(ExitClass.TIMEOUT, (CallOutcome("1"), CallOutcome())), True),
        (Outcome(ExitClass.ERROR, (CallOutcome("1"), CallOutcome("", "KeyError: 1"))), True),
        (Outcome(ExitClass.ERROR, exception_type="EarlyExit"), True),
        (answered("1", "2", taints=("random",)), True),
        (answered("1", "2", taints=("threads",)), False),
        (answered("1"), True),
    ],
)
def test_a_solution_bears_witness_when_it_answers_the_exercises_without_chance(outcome: Outcome, broken: bool) -> None:
    failure = ladder.judge_solution(outcome, ["1", "2"])
    assert (failure and failure.reason) == ("corroborated.solution_broken" if broken else None)


@pytest.mark.parametrize(
    ("reason", "minimum", "climbed", "kind", "grade"),
    [
        (None, Grade.TESTED, Grade.TESTED, VerdictKind.VERIFIED, Grade.TESTED),
        (None, Grade.TESTED, Grade.CORROBORATED, VerdictKind.VERIFIED, Grade.CORROBORATED),
        (None, Grade.CORROBORATED, Grade.CORROBORATED, VerdictKind.VERIFIED, Grade.CORROBORATED),
        (None, Grade.CORROBORATED, Grade.TESTED, VerdictKind.INCONCLUSIVE, Grade.TESTED),
        ("corroborated.no_solution", Grade.TESTED, Grade.TESTED, VerdictKind.VERIFIED, Grade.TESTED),
        ("corroborated.solution_broken", Grade.TESTED, Grade.TESTED, VerdictKind.VERIFIED, Grade.TESTED),
        ("corroborated.too_few_inputs", Grade.CORROBORATED, Grade.TESTED, VerdictKind.INCONCLUSIVE, Grade.TESTED),
        ("corroborated.disagreement", Grade.EXECUTED, Grade.TESTED, VerdictKind.INCONCLUSIVE, Grade.REPRODUCIBLE),
        ("corroborated.disagreement", Grade.TESTED, Grade.TESTED, VerdictKind.INCONCLUSIVE, Grade.REPRODUCIBLE),
    ],
)
def test_a_disagreement_demotes_and_what_only_lacks_a_solution_keeps_its_grade(
    reason: str | None, minimum: Grade, climbed: Grade, kind: VerdictKind, grade: Grade
) -> None:
    conclusion = ladder.conclude(reason and ladder.failure(reason), minimum, climbed)
    assert (conclusion.kind, conclusion.grade, conclusion.reached) == (kind, grade, Stage.TESTED)
    assert (conclusion.failure is None) is (kind is VerdictKind.VERIFIED)


@pytest.mark.parametrize(
    ("statuses", "refused"),
    [(["verified", "unverified"], False), (["verified"] * 9 + ["refuted"], True), ([], False)],
)
def test_one_broken_law_is_enough(statuses: list[str], refused: bool) -> None:
    failure = ladder.judge_properties([CheckedClaim(Claim("law", "assert f(a)"), status) for status in statuses])
    assert (failure and failure.reason) == ("tested.property_failed" if refused else None)


@pytest.mark.parametrize(
    ("reason", "kind", "grade", "reached"),
    [
        (None, VerdictKind.VERIFIED, Grade.TESTED, Stage.TESTED),
        ("static.parse", VerdictKind.INCONCLUSIVE, Grade.NONE, Stage.PARSED),
        ("static.exam_tautological", VerdictKind.INCONCLUSIVE, Grade.NONE, Stage.PARSED),
        ("static.nondeterminism:random", VerdictKind.FLAKY, Grade.NONE, Stage.PARSED),
        ("executed.timeout", VerdictKind.REFUTED, Grade.NONE, Stage.PARSED),
        ("executed.contradiction", VerdictKind.REFUTED, Grade.NONE, Stage.PARSED),
        ("reproducible.clock", VerdictKind.FLAKY, Grade.EXECUTED, Stage.EXECUTED),
        ("tested.exam_failed", VerdictKind.REFUTED, Grade.REPRODUCIBLE, Stage.REPRODUCIBLE),
        ("tested.claims_refuted", VerdictKind.REFUTED, Grade.REPRODUCIBLE, Stage.REPRODUCIBLE),
        ("tested.property_failed", VerdictKind.REFUTED, Grade.REPRODUCIBLE, Stage.REPRODUCIBLE),
        ("tested.stub_accepted:none", VerdictKind.INCONCLUSIVE, Grade.REPRODUCIBLE, Stage.REPRODUCIBLE),
        ("tested.mutants_survived", VerdictKind.INCONCLUSIVE, Grade.REPRODUCIBLE, Stage.REPRODUCIBLE),
    ],
)
def test_the_verdict_follows_from_the_first_failure(reason, kind, grade, reached) -> None:
    conclusion = ladder.conclude(None if reason is None else ladder.failure(reason))
    assert (conclusion.kind, conclusion.grade, conclusion.reached) == (kind, grade, reached)
    assert (conclusion.failure is None) is (kind is VerdictKind.VERIFIED)


def test_a_lower_minimum_keeps_what_is_weakly_tested_but_never_what_is_false_or_flaky() -> None:
    weak = ladder.conclude(ladder.failure("tested.mutants_survived"), Grade.REPRODUCIBLE)
    assert (weak.kind, weak.grade) == (VerdictKind.VERIFIED, Grade.REPRODUCIBLE)
    assert ladder.conclude(ladder.failure("tested.exam_failed"), Grade.EXECUTED).kind is VerdictKind.REFUTED
    assert ladder.conclude(ladder.failure("reproducible.random"), Grade.EXECUTED).kind is VerdictKind.FLAKY
    assert ladder.conclude(ladder.failure("static.parse"), Grade.EXECUTED).kind is VerdictKind.INCONCLUSIVE


def test_an_artifact_is_capped() -> None:
    assert len(ladder.failure("executed.error", "x" * 100_000).artifact.encode()) <= 4096
