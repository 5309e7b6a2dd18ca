"""Re-verification's decisions as tables: what is due and why, what replays decide, what becomes of the concept."""

from dataclasses import replace

import pytest

from ghostd.core.crystal import Grade, Stage, Verdict, VerdictKind
from ghostd.core.lesson import Failure
from ghostd.core.reverification import (
    Decision,
    Image,
    Policy,
    Reason,
    Standing,
    has_bad_record,
    is_weak,
    judge,
    rank,
    state_after_revocation,
)

DAY = 86_400.0
HERE, ELSEWHERE = Image("docker", "sha256:1", "a"), Image("docker", "sha256:0", "a")
POLICY = Policy(after_seconds=7 * DAY, risky_after_seconds=2 * DAY, image=HERE)
SOUND = Standing("sound", 0.0, Grade.TESTED, 0.9, 12, VerdictKind.VERIFIED, HERE)

HELD = Verdict(VerdictKind.VERIFIED, Grade.AUDITED, Stage.STORED, None, ())
DRIFT = Verdict(
    VerdictKind.REFUTED, Grade.REPRODUCIBLE, Stage.REPRODUCIBLE, Failure("audited", "audited.drift", "1 != 2"), ()
)
FLAKY = Verdict(VerdictKind.FLAKY, Grade.EXECUTED, Stage.EXECUTED, Failure("reproducible", "reproducible.clock"), ())
UNTOLD = Verdict(VerdictKind.INCONCLUSIVE, Grade.TESTED, Stage.TESTED, None, ())


def aged(days: float, **changes: object) -> Standing:
    return replace(SOUND, unchecked_seconds=days * DAY, **changes)


@pytest.mark.parametrize(
    ("standing", "reasons"),
    [
        (aged(6.9), None),
        (aged(7), (Reason.AGE,)),
        (aged(0, verdict=VerdictKind.REFUTED), (Reason.FAILED,)),
        (aged(0, verdict=VerdictKind.FLAKY), (Reason.FAILED,)),
        (aged(0, verdict=VerdictKind.INCONCLUSIVE), None),
        (aged(0, image=ELSEWHERE), (Reason.IMAGE,)),
        (aged(0, image=replace(HERE, cell_version="b")), (Reason.IMAGE,)),
        (aged(0, image=replace(HERE, backend="bubblewrap")), (Reason.IMAGE,)),
        (aged(0, image=None), None),
        (aged(0, failed_siblings=1), (Reason.SIBLING,)),
        (aged(1.9, quality=0.1, mutants_total=0, grade=Grade.EXECUTED), None),
        (aged(2, quality=0.59), (Reason.QUALITY,)),
        (aged(2, quality=0.6), None),
        (aged(2, mutants_total=7), (Reason.MUTANTS,)),
        (aged(2, mutants_total=8), None),
        (aged(2, grade=Grade.REPRODUCIBLE), (Reason.GRADE,)),
        (aged(2, teacher_failed=2, teacher_crystals=100), (Reason.TEACHER,)),
        (aged(2, teacher_failed=1, teacher_crystals=1), None),
        (aged(2, teacher_failed=2, teacher_crystals=101), None),
        (aged(9, postponed_seconds=0.0), None),
        (aged(9, postponed_seconds=DAY, image=ELSEWHERE), (Reason.IMAGE, Reason.AGE)),
        (aged(8, image=ELSEWHERE, quality=0.0), (Reason.IMAGE, Reason.AGE, Reason.QUALITY)),
    ],
)
def test_what_is_due_says_why(standing: Standing, reasons: tuple[Reason, ...] | None) -> None:
    assert [one.reasons for one in rank([standing], POLICY, 10)] == ([] if reasons is None else [reasons])


def test_the_most_urgent_comes_first_and_no_more_than_asked_for() -> None:
    in_order = [
        aged(9, crystal_id="failed and old", verdict=VerdictKind.REFUTED),
        aged(0, crystal_id="failed", verdict=VerdictKind.FLAKY),
        aged(0, crystal_id="sibling failed", failed_siblings=3),
        aged(30, crystal_id="elsewhere and old", image=ELSEWHERE),
        aged(1, crystal_id="elsewhere, a day", image=ELSEWHERE),
        aged(0.5, crystal_id="elsewhere, half a day", image=ELSEWHERE),
        aged(30, crystal_id="a month"),
        aged(7, crystal_id="a week, weak", quality=0.1),
        aged(7, crystal_id="a week, a"),
        aged(7, crystal_id="a week, b"),
        aged(3, crystal_id="very weak", quality=0.1, mutants_total=0),
        aged(3, crystal_id="weak", quality=0.1),
    ]
    names = [one.crystal_id for one in rank(reversed([*in_order, SOUND]), POLICY, 100)]
    assert names == [one.crystal_id for one in in_order]
    assert [one.crystal_id for one in rank(in_order, POLICY, 2)] == names[:2]
    assert rank(in_order, POLICY, 0) == []


def test_a_changed_sandbox_does_not_starve_what_is_overdue() -> None:
    moved = [aged(0.01, crystal_id=f"{number:04}", image=ELSEWHERE) for number in range(500)]
    old = aged(8, crystal_id="old", image=ELSEWHERE)
    assert rank([*moved, old], POLICY, 1)[0].crystal_id == "old"


@pytest.mark.parametrize(
    ("verdicts", "decision", "reason"),
    [
        ([], Decision.REPEAT, "not replayed yet"),
        ([HELD], Decision.HELD, "it held"),
        ([DRIFT], Decision.REPEAT, "audited.drift"),
        ([FLAKY], Decision.REPEAT, "reproducible.clock"),
        ([UNTOLD], Decision.REPEAT, "inconclusive"),
        ([DRIFT, HELD], Decision.HELD, "audited.drift at first, then it held"),
        ([DRIFT, DRIFT], Decision.REVOKE, "audited.drift"),
        ([DRIFT, FLAKY], Decision.REVOKE, "reproducible.clock"),
        ([UNTOLD, DRIFT], Decision.UNDECIDED, "audited.drift"),
        ([DRIFT, UNTOLD], Decision.UNDECIDED, "inconclusive"),
    ],
)
def test_one_replay_accuses_nobody_and_two_that_agree_do(
    verdicts: list[Verdict], decision: Decision, reason: str
) -> None:
    found = judge(verdicts)
    assert (found.decision, found.reason) == (decision, reason)


@pytest.mark.parametrize(
    ("believed", "revoked", "state"), [(1, 1, "crystal"), (0, 1, "open"), (0, 2, "failed"), (2, 5, "crystal")]
)
def test_a_concept_is_learnt_anew_once(believed: int, revoked: int, state: str) -> None:
    assert state_after_revocation(believed, revoked) == state


@pytest.mark.parametrize(
    ("failed", "crystals", "bad"), [(0, 0, False), (1, 2, False), (2, 2, True), (2, 100, True), (2, 101, False)]
)
def test_a_teachers_record_needs_repeated_failures(failed: int, crystals: int, bad: bool) -> None:
    assert has_bad_record(failed, crystals) is bad


def test_weakness_is_of_the_verification_alone() -> None:
    assert not is_weak(Grade.TESTED, 0.9, 12)
    assert is_weak(Grade.TESTED, 0.9, 0) and is_weak(Grade.TESTED, 0.1, 12) and is_weak(Grade.EXECUTED, 0.9, 12)
