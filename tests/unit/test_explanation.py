"""What the executions of an attempt showed, as sentences with their cost."""

from collections.abc import Iterable

import pytest

from ghostd.core.evidence import CallOutcome, CheckOutcome, Evidence, ExitClass, Outcome, Place, Run, Variation
from ghostd.core.explanation import explain, meaning

HELD, FAILED = CheckOutcome(reached=True, passed=True), CheckOutcome(reached=True, passed=False)


def execution(
    rung: str,
    purpose: str,
    *,
    supports: bool = True,
    outcome: Outcome | None = None,
    run: Run | None = None,
    cell: str = "cell-1",
) -> Evidence:
    place = Place("docker", "sha256:1", "version", cell)
    outcome = outcome or Outcome(ExitClass.OK, cpu_seconds=0.01, wall_seconds=0.02)
    return Evidence(rung, purpose, run or Run("code", "f"), outcome, place, "key", "hash", supports)


def told(evidence: Iterable[Evidence]) -> dict[str, tuple[str, ...]]:
    return {one.rung: one.shown for one in explain(list(evidence))}


def test_each_rung_has_its_count_and_its_cost_from_the_lowest_to_the_highest() -> None:
    rows = [
        execution("corroborated", "solution"),
        execution("tested", "stub:none"),
        execution("tested", "mutant:0", supports=False),
        execution("executed", "exercise"),
    ]
    accounts = explain(rows)
    assert [one.rung for one in accounts] == ["executed", "tested", "corroborated"]
    assert (accounts[1].executions, accounts[1].against) == (2, 1)
    assert (accounts[1].cpu_seconds, accounts[1].wall_seconds) == pytest.approx((0.02, 0.04))


def test_the_first_run_tells_what_was_answered_and_passed() -> None:
    outcome = Outcome(
        ExitClass.ASSERTION,
        (CallOutcome("1"), CallOutcome("", "KeyError: 1")),
        (HELD, FAILED),
        exception_type="AssertionError",
    )
    run = Run("code", "f", calls=("1", "2"), checks=("assert f(1)", "assert f(2)", "assert f(3)"))
    (sentence,) = told([execution("executed", "exercise", outcome=outcome, run=run)])["executed"]
    assert sentence == "1 of 2 calls answered, 1 of 3 checks of the exam passed, ended with assertion AssertionError"


def test_replays_tell_what_was_varied_and_what_was_touched() -> None:
    tainted = Outcome(ExitClass.OK, taints=("clock",))
    rows = [
        execution("reproducible", "replay:0"),
        execution("reproducible", "replay:1", run=Run("c", "f", variation=Variation(hash_seed=1)), cell="cell-2"),
        execution("reproducible", "replay:2", outcome=tainted, supports=False),
    ]
    assert told(rows)["reproducible"] == (
        "3 replays over 2 hash seeds, 1 clock, 1 name and 2 cells: 1 differed",
        "the code touched: clock",
    )


def test_damage_tells_stubs_mutants_survivors_claims_and_the_control() -> None:
    rows = [
        execution("tested", "claims"),
        execution("tested", "inputs"),
        execution("tested", "stub:none"),
        execution("tested", "stub:identity", supports=False),
        execution("tested", "mutant:0"),
        execution("tested", "mutant:1", supports=False),
        execution("tested", "mutant:2", supports=False),
        execution("tested", "control"),
        execution("tested", "inputs:mutant:1"),
        execution("tested", "inputs:mutant:2", supports=False),
        execution("tested", "claims:stub:none"),
    ]
    assert told(rows)["tested"] == (
        "1 of 2 stubs rejected; taken for right: identity",
        "1 of 3 mutants killed by the exam; 1 of the rest could not be told from the original on generated arguments",
        "the code itself, run last among them: passed",
        "claims and laws put to the code and to 1 damaged version of it",
    )


@pytest.mark.parametrize(("supports", "words"), [(True, "agreed with the lesson"), (False, "did not agree")])
def test_a_solution_tells_how_much_it_answered_and_what_it_said(supports: bool, words: str) -> None:
    outcome = Outcome(ExitClass.OK, (CallOutcome("1"), CallOutcome()))
    run = Run("other code", "f", calls=("1", "2"))
    rows = [execution("corroborated", "solution", outcome=outcome, run=run, supports=supports)]
    (sentence,) = told(rows)["corroborated"]
    assert sentence.startswith("an independent solution answered 1 of 2 argument lists")
    assert words in sentence


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("static.parse", "reading the code was enough"),
        ("static.import:os", "reading the code was enough"),
        ("static.exam_tautological", "the exam cannot judge"),
        ("static.nondeterminism:clock", "chance, a clock or an address"),
        ("executed.timeout", "did not run to its end"),
        ("executed.contradiction", "own answer to an exercise"),
        ("reproducible.hash-order", "did not always give the same"),
        ("tested.exam_failed", "fails an exam"),
        ("tested.property_failed", "breaks a law"),
        ("tested.claims_refuted", "is false for the code"),
        ("tested.stub_accepted:none", "it proves nothing"),
        ("corroborated.disagreement", "one is wrong"),
        ("corroborated.no_solution", "no independent solution"),
        ("audited.drift", "no longer does what it recorded"),
        ("lesson.refusal", "no lesson that could be read"),
        ("exam.truncated", "no exam that could be read"),
        ("internal.ValueError", "nothing is said about its truth"),
        ("duplicate", "says the same already"),
    ],
)
def test_every_reason_has_its_words(reason: str, words: str) -> None:
    assert words in meaning(reason)


def test_an_unknown_reason_has_none() -> None:
    assert meaning("elsewhere.failed") == ""


def test_nothing_executed_is_nothing_to_tell() -> None:
    assert explain([]) == ()
