"""The frames between a cell and its owner: runs out, signed results in; pure, it moves no bytes itself."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ghostd.core.evidence import CallOutcome, CheckOutcome, ExitClass, Outcome, Run
from ghostd.errors import SandboxUnavailable

HEADER_BYTES = 4
TAG_BYTES = hashlib.sha256().digest_size
BATCH_CAP = 64 << 20  # bytes of one frame of runs; sandbox/cell.py refuses more
RESULT_CAP = 24 << 20  # bytes of one result: report, output and JSON's escapes

_Text = Annotated[str, Field(max_length=RESULT_CAP)]


class _Result(BaseModel):
    """What a cell says of one run. It left the cell through the supervisor, but is checked like any input."""

    model_config = ConfigDict(extra="forbid", strict=True)

    exit_class: str
    calls: list[tuple[_Text, _Text, _Text]]
    checks: list[tuple[bool, bool, _Text]]
    stdout: _Text
    stderr: _Text
    exception_type: _Text
    exception_message: _Text
    wall_seconds: Annotated[float, Field(ge=0)]
    cpu_seconds: Annotated[float, Field(ge=0)]
    peak_memory_bytes: Annotated[int, Field(ge=0)]
    taints: list[_Text]


class Greeting(BaseModel):
    """A cell's first frame."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ready: bool
    python: str  # version of the interpreter inside
    user: int  # the cell's user id


def framed(body: object) -> bytes:
    """A frame with JSON in it. Raises ValueError when it is larger than BATCH_CAP."""
    content = json.dumps(body).encode("ascii")
    if len(content) > BATCH_CAP:
        raise ValueError(f"a batch of {len(content)} bytes, {BATCH_CAP} allowed; send fewer runs at once")
    return len(content).to_bytes(HEADER_BYTES, "big") + content


def batch(runs: Sequence[Run]) -> bytes:
    """One frame with runs."""
    return framed({"runs": [_run_body(run) for run in runs]})


def opened(content: bytes, key: bytes, number: int) -> bytes:
    """The JSON of the cell's frame number `number`. Raises SandboxUnavailable when the tag does not fit."""
    tag, body = content[:TAG_BYTES], content[TAG_BYTES:]
    if not hmac.compare_digest(tag, hmac.digest(key, number.to_bytes(8, "big") + body, "sha256")):
        raise SandboxUnavailable("A cell sent a frame with a wrong signature; its results were thrown away.")
    return body


def outcome(body: bytes, run: Run) -> Outcome:
    """A result as an Outcome. Raises SandboxUnavailable when it is not one for this run."""
    try:
        result = _Result.model_validate_json(body)
        exit_class = ExitClass(result.exit_class)
    except (ValidationError, ValueError) as problem:
        raise SandboxUnavailable(f"A cell sent a malformed result: {problem}") from None
    if len(result.calls) != len(run.calls) or len(result.checks) != len(run.checks):
        raise SandboxUnavailable("A cell answered another run than the one it was given.")
    return Outcome(
        exit_class=exit_class,
        calls=tuple(CallOutcome(value, _joined(kind, message)) for value, kind, message in result.calls),
        checks=tuple(CheckOutcome(reached, passed, message) for reached, passed, message in result.checks),
        stdout=result.stdout,
        stderr=result.stderr,
        exception_type=result.exception_type,
        exception_message=result.exception_message,
        wall_seconds=result.wall_seconds,
        cpu_seconds=result.cpu_seconds,
        peak_memory_bytes=result.peak_memory_bytes,
        taints=tuple(sorted(result.taints)),
    )


def _joined(kind: str, message: str) -> str:
    return f"{kind}: {message}" if kind and message else kind


def _run_body(run: Run) -> dict[str, Any]:
    workspace = run.variation.workspace
    if not workspace or "/" in workspace or workspace in (".", ".."):
        raise ValueError(f"{workspace!r} cannot name a working directory")
    return {
        "code": run.code,
        "entry": run.entry,
        "calls": list(run.calls),
        "checks": list(run.checks),
        "stop_on_failure": run.stop_on_failure,
        "wall_seconds": run.limits.wall_seconds,
        "cpu_seconds": run.limits.cpu_seconds,
        "memory_bytes": run.limits.memory_bytes,
        "output_bytes": run.limits.output_bytes,
        "value_bytes": run.limits.value_bytes,
        "hash_seed": run.variation.hash_seed,
        "start_time": run.variation.start_time,
        "workspace": workspace,
    }
