"""Code is executed by a program that is given from outside; without a verdict there is no grade."""

import sys
from pathlib import Path

import pytest

from trainer.errors import ExecutionError
from trainer.evaluation.execution import Job, Program, Verdict

JOBS = [
    Job("good", "def double(n):\n    return 2 * n", ("assert double(2) == 4", "assert double(0) == 0")),
    Job("bad", "def double(n):\n    return n", ("assert double(2) == 4",)),
    Job("none", "I am sorry.\0", ("assert double(2) == 4",)),
]
RUNNER = """
import json, subprocess, sys
for line in reversed(sys.stdin.readlines()):
    job = json.loads(line)
    code = "\\n".join([job["code"], *job["tests"]])
    done = subprocess.run([sys.executable, "-I", "-"], input=code, capture_output=True, text=True)
    print(json.dumps({"id": job["id"], "passed": done.returncode == 0, "detail": done.stderr[-40:]}))
"""


def program(folder: Path, text: str) -> Program:
    (folder / "program.py").write_text(text)
    return Program((sys.executable, str(folder / "program.py")))


def test_each_job_gets_its_own_verdict_in_whatever_order(tmp_path: Path) -> None:
    verdicts = program(tmp_path, RUNNER)(JOBS)
    assert {name: verdict.passed for name, verdict in verdicts.items()} == {"good": True, "bad": False, "none": False}
    assert "AssertionError" in verdicts["bad"].detail
    assert verdicts["good"] == Verdict(passed=True)


def test_nothing_to_run_runs_nothing() -> None:
    assert Program(("/nowhere",))([]) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys; sys.exit('the engine is down')", "the engine is down"),
        ('print(\'{"id": "good", "passed": true}\')', "no verdict on 2 of 3 jobs, first on bad"),
        ('print(\'{"id": "good", "passed": "yes"}\')', "no verdict"),
        ("print('hello')", "no verdict"),
    ],
)
def test_a_missing_verdict_is_an_outage_and_no_grade(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ExecutionError, match=reason):
        program(tmp_path, text)(JOBS)


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ExecutionError, match="/nowhere/run could not be run"):
        Program(("/nowhere/run",))(JOBS)
