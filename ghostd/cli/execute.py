"""`ghostd execute`: runs code in the sandbox and tells whether its tests pass; hidden, a part for other programs.

Each line of standard input, `{"id": ..., "code": ..., "tests": [...]}`, is answered by one of standard output,
`{"id": ..., "passed": ..., "detail": ...}`. It fails closed: without isolation nothing is run and the exit code is 5;
an outage is never a verdict.
"""

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, run, settings_for
from ghostd.errors import ConfigurationError

if TYPE_CHECKING:
    from ghostd.ports import Sandbox
    from ghostd.settings import Settings

_AT_ONCE = 4  # cells


def execute(context: typer.Context, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Run code in fresh cells, one for each line of standard input."""
    from ghostd import log

    settings = settings_for(context, config, data_dir)
    log.configure(level="error", json_lines=settings.log.json_lines)
    run(_execute(settings))


async def _execute(settings: "Settings") -> None:
    from ghostd.app import opened_sandbox

    jobs = [_job(number, line) for number, line in enumerate(sys.stdin, start=1) if line.strip()]
    if not jobs:
        return
    waiting = iter(jobs)

    async def work(sandbox: "Sandbox") -> None:
        for job in waiting:
            print_verdict(await verdict_of(sandbox, job))

    # whoever wrote the code is a stranger, also where the teacher is trusted
    async with opened_sandbox(settings, trusted_teacher=False, say=lambda _: None) as sandbox:
        await asyncio.gather(*(work(sandbox) for _ in range(min(_AT_ONCE, len(jobs)))))


def _job(number: int, line: str) -> dict[str, Any]:
    """Raises ConfigurationError for a line that is no job."""
    try:
        job = json.loads(line)
        tests = [test for test in job["tests"] if isinstance(test, str)]
        if isinstance(job["code"], str) and len(tests) == len(job["tests"]):
            return {"id": job["id"], "code": job["code"], "tests": tests}
    except (ValueError, KeyError, TypeError):
        pass
    raise ConfigurationError(f'Line {number} is no job; write {{"id": "1", "code": "...", "tests": ["assert ..."]}}.')


async def verdict_of(sandbox: "Sandbox", job: dict[str, Any]) -> dict[str, Any]:
    """Whether every test was reached and passed. Raises SandboxUnavailable."""
    from ghostd.core.evidence import Run
    from ghostd.verify.entry import entry_of
    from ghostd.verify.runs import passed

    tests = tuple(job["tests"])
    entry = entry_of(job["code"], tests)
    if not tests or not entry:
        return {"id": job["id"], "passed": False, "detail": "the code defines no function that a test calls"}
    async with sandbox.cell() as cell:
        (outcome,) = await cell.run([Run(job["code"], entry, checks=tests)])
    reached = sum(one.passed for one in outcome.checks)
    detail = outcome.exception_message or outcome.exit_class.value
    return {
        "id": job["id"],
        "passed": passed(outcome, tests),
        "detail": f"{reached} of {len(tests)} tests passed: {detail}"[:300],
    }


def print_verdict(verdict: dict[str, Any]) -> None:
    """One line."""
    sys.stdout.write(json.dumps(verdict) + "\n")
    sys.stdout.flush()
