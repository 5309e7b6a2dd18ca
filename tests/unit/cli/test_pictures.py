"""The waterfall that adds up, and the picture of the status document."""

import io
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ghostd.cli.knowledge import _print
from ghostd.cli.live import render
from ghostd.cli.student_line import student_line
from ghostd.core.crystal import CheckedClaim, Corroboration, SolvedExercise, Stage
from ghostd.core.lesson import Claim, Solution
from ghostd.monitor.status import waterfall_rows
from tests.crystals import crystal

STAGES = list(Stage)
attempts = st.dictionaries(st.sampled_from(STAGES), st.tuples(st.integers(0, 50), st.integers(0, 50)))

UNTRAINED: dict[str, Any] = {"crystals_since": 120, "champion": None, "last": None, "running": None}
CALIBRATED = {
    "false_planted": 400,
    "false_accepted": 0,
    "false_accept_bound": 0.0095,
    "true_planted": 100,
    "true_accepted": 99,
    "true_accept_bound": 0.94,
    "paused": "",
    "paused_at": None,
}


def drawn(document: dict[str, Any], width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(render(document))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def knowledge(**changes: object) -> dict[str, Any]:
    return {
        "crystals": 12,
        "revoked": 0,
        "crystals_last_5_minutes": 3,
        "crystals_last_day": 12,
        "attempts": 20,
        "executions": 900,
        "waterfall": waterfall_rows({Stage.ASKED: 20, Stage.PARSED: 18, Stage.STORED: 12}, {}),
        "rejections": [{"stage": "executed", "reason": "tested.exam_failed", "count": 6}],
        "domains": [
            {"domain": "text", "concepts": 9, "open": 2, "crystals": 5, "attempts": 10, "verified": 5},
            {"domain": "physics", "concepts": 4, "open": 4, "crystals": 0, "attempts": 0, "verified": 0},
        ],
        "spend": {"calls": 40, "tokens": 1234, "cost": 0.5},
        "calibration": CALIBRATED,
        "training": UNTRAINED,
        "runs": [],
        "rungs": [
            {"rung": "executed", "lessons": 18, "executions": 18, "cpu_seconds": 0.012, "wall_seconds": 0.02},
            {"rung": "tested", "lessons": 16, "executions": 500, "cpu_seconds": 0.2104, "wall_seconds": 0.4},
        ],
        **changes,
    }


def working(**changes: object) -> dict[str, Any]:
    return {
        "running": True,
        "pid": 4711,
        "phase": "working",
        "started_at": time.time() - 3725,
        "teacher": "qwen3-8b",
        "sandbox": "docker",
        "store": "embedded",
        "alarm": "",
        **changes,
    }


@given(attempts)
def test_the_waterfall_adds_up_for_any_attempts(at: dict[Stage, tuple[int, int]]) -> None:
    """`at` holds, for each stage, how many attempts ended there and how many are under way there."""
    # what stands at the last stage is stored: nothing is lost or under way behind it
    ended = {stage: counts[0] for stage, counts in at.items()}
    open_at = {stage: counts[1] for stage, counts in at.items() if stage is not STAGES[-1]}
    here = {stage: ended.get(stage, 0) + open_at.get(stage, 0) for stage in STAGES}
    passed = {stage: sum(here[later] for later in STAGES[place:]) for place, stage in enumerate(STAGES)}
    rows = waterfall_rows(passed, open_at)
    assert [row["stage"] for row in rows] == [stage.value for stage in STAGES]
    for row, following in pairwise(rows):
        assert row["passed"] == following["passed"] + row["lost"] + row["open"]
    assert [row["lost"] for row in rows[:-1]] == [ended.get(stage, 0) for stage in STAGES[:-1]]
    assert sum(row["lost"] + row["open"] for row in rows) + rows[-1]["passed"] == rows[0]["passed"]


def test_before_the_first_start_the_picture_says_how_to_begin() -> None:
    shown = drawn({"daemon": {"running": False}, "data_dir": "/data", "knowledge": None})
    assert "not running" in shown and "/data" in shown and "ghostd start" in shown


def test_a_daemon_at_work_is_shown_with_everything_that_matters() -> None:
    shown = drawn({"daemon": working(), "data_dir": "/data", "knowledge": knowledge()})
    for words in (
        "working",
        "pid 4711",
        "up 1:02:05",
        "teacher qwen3-8b",
        "12 crystals",
        "+3 in 5 min",
        "900 executions",
    ):
        assert words in shown
    assert "tested.exam_failed" in shown and "50%" in shown
    assert shown.index("text") < shown.index("physics"), "domains with most crystals first"


def test_the_cost_of_a_lesson_is_one_line_with_each_rung() -> None:
    shown = drawn({"daemon": working(), "data_dir": "/data", "knowledge": knowledge()})
    assert "CPU of a lesson (median of 18): executed 12 ms, tested 210 ms" in shown
    none_yet = drawn({"daemon": working(), "data_dir": "/data", "knowledge": knowledge(rungs=[])})
    assert "CPU of a lesson" not in none_yet


def test_a_daemon_that_is_down_still_shows_what_is_known() -> None:
    shown = drawn({"daemon": {"running": False, "phase": "stopped"}, "data_dir": "/data", "knowledge": knowledge()})
    assert "not running" in shown and "12 crystals" in shown


def test_an_alarm_is_shown() -> None:
    shown = drawn(
        {"daemon": working(alarm="The database cannot be reached"), "data_dir": "/", "knowledge": knowledge()}
    )
    assert "The database cannot be reached" in shown


def test_an_empty_store_draws_empty_tables() -> None:
    empty = knowledge(crystals=0, attempts=0, waterfall=waterfall_rows({}, {}), rejections=[], domains=[])
    shown = drawn({"daemon": working(), "data_dir": "/data", "knowledge": empty})
    assert "0 crystals" in shown and "█" not in shown


@pytest.mark.parametrize("reason", ["tested.[bold]", "static.[/]", "[link=file:///etc/passwd]x"])
def test_names_are_shown_as_they_are_and_never_read_as_markup(reason: str) -> None:
    odd = knowledge(rejections=[{"stage": "executed", "reason": reason, "count": 1}])
    odd["domains"][0]["domain"] = reason
    assert drawn({"daemon": working(), "data_dir": "/data", "knowledge": odd}).count(reason) == 2


def test_a_narrow_terminal_is_no_error() -> None:
    assert drawn({"daemon": working(), "data_dir": "/data", "knowledge": knowledge()}, width=30)


def test_a_crystal_is_shown_with_every_bracket_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    one = crystal(3)
    odd = replace(
        one,
        concept=replace(one.concept, title="Lists [of x]"),
        exercises=(SolvedExercise("What is [a]?", "[x for x in y]", one.exercises[0].value),),
        claims=(CheckedClaim(Claim("It ends [/here]"), "unverified"),),
    )
    _print(odd, ())
    shown = capsys.readouterr().out
    for words in ("Lists [of x]", "What is [a]?", "windows([x for x in y])", "It ends [/here]"):
        assert words in shown
    assert "independent solution: none was compared" in shown


@pytest.mark.parametrize(("writer", "who"), [("a teacher", "the teacher itself"), ("another-model", "another teacher")])
def test_a_crystal_names_who_corroborated_it_and_the_laws_of_its_exam(
    writer: str, who: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one = replace(
        crystal(3),
        teacher="a teacher",
        corroboration=Corroboration(Solution("def f(): ...", writer), agreed=52, compared=52),
        properties=(CheckedClaim(Claim("assert f(a) == f([a])", "assert f(a) == f([a])"), "verified"),),
    )
    _print(one, ())
    shown = " ".join(capsys.readouterr().out.split())
    assert f"by {writer} ({who}" in shown
    assert "agreed on 52 of 52 argument lists" in shown
    assert "assert f(a) == f([a])" in shown


def test_a_pause_of_crystallisation_is_said_with_its_remedy() -> None:
    paused = {**CALIBRATED, "paused": "3 of 40 false items were accepted", "paused_at": time.time() - 7200}
    picture = drawn({"daemon": working(), "data_dir": "/data", "knowledge": knowledge(calibration=paused)})
    assert "CRYSTALLISATION PAUSES 2:00:00 h: 3 of 40 false items" in picture
    assert "ghostd calibration --resume" in picture


def test_calibration_is_told_in_one_line() -> None:
    document = {"daemon": working(), "data_dir": "/data", "knowledge": knowledge()}
    assert "0 of 400 false items accepted (at most 0.95%), 99 of 100 true ones" in drawn(document)
    document["knowledge"] = knowledge(calibration={**CALIBRATED, "false_planted": 0})
    assert "ghostd calibration run" in drawn(document)


def student(**changes: object) -> dict[str, Any]:
    figures = {"student": 3, "recipe": "transformer", "status": "ok", "promoted": True, "verdict": "first",
               "bits_per_byte": 1.25, "right": 40, "asked": 100, "crystals": 900, "revoked": 0}  # fmt: skip
    return {**figures, **changes}


@pytest.mark.parametrize(
    ("training", "said"),
    [
        (UNTRAINED, "student: none yet; 120 crystals wait for it"),
        ({**UNTRAINED, "champion": student()}, "champion: student 3 (transformer), 1.250 bits per byte, 40 of 100"),
        ({**UNTRAINED, "champion": student(revoked=2)}, "2 of the 900 crystals that it learnt were revoked since"),
        ({**UNTRAINED, "last": student(promoted=False, verdict="no better")}, "student 3 was not promoted: no better"),
        ({**UNTRAINED, "last": student(promoted=False, status="failed", bits_per_byte=None)}, "student 3 failed"),
        (
            {
                **UNTRAINED,
                "running": {
                    "student": 4,
                    "recipe": "mamba",
                    "status": "running",
                    "step": 5,
                    "steps": 20,
                    "left_seconds": 600.0,
                    "bits_per_byte": None,
                    "answers": None,
                },
            },
            "student 4 (mamba): running, step 5 of 20, about 10 min left",
        ),
        (
            {
                **UNTRAINED,
                "running": {
                    "student": 4,
                    "recipe": "mamba",
                    "status": "running",
                    "step": 12,
                    "steps": 20,
                    "left_seconds": 60.0,
                    "bits_per_byte": 1.5,
                    "answers": 30,
                },
            },
            "student 4 (mamba): running, step 12 of 20, 1.500 bits per byte, 30 answers in its exam",
        ),
        (
            {
                **UNTRAINED,
                "running": {
                    "student": 4,
                    "recipe": "mamba",
                    "status": "running",
                    "step": 12,
                    "steps": 20,
                    "left_seconds": 60.0,
                    "bits_per_byte": 1.5,
                    "answers": 0,
                },
            },
            "student 4 (mamba): running, step 12 of 20, 1.500 bits per byte, 0 answers in its exam",
        ),
        (
            {
                **UNTRAINED,
                "running": {
                    "student": 4,
                    "recipe": "mamba",
                    "status": "waiting",
                    "step": 0,
                    "steps": 0,
                    "left_seconds": None,
                    "bits_per_byte": None,
                    "answers": None,
                },
            },
            "student 4 (mamba): waiting",
        ),
    ],
)
def test_the_student_is_told_in_a_line(training: dict[str, Any], said: str) -> None:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(student_line(training))
    assert said in captured.get()
