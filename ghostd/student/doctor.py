"""What the trainer says of itself here, for `ghostd doctor`: asked in a process of its own, for it needs torch."""

import asyncio
import contextlib
import subprocess
from dataclasses import dataclass

from ghostd.errors import TrainingFailed
from ghostd.student.child import command, dying_with_parent, environment

_ANSWER_SECONDS = 60.0  # importing torch from a cold disk included
_OPERATOR = "selective_scan"  # the one that most recipes need
_FASTEST = ("native", "cuda")


@dataclass(frozen=True, slots=True)
class TrainerFinding:
    """What was said."""

    sentence: str
    slow: bool  # its operators are not compiled here


async def trainer_sentence(threads: int = 0) -> TrainerFinding:
    """Run `python -m trainer doctor`. Raises TrainingFailed when it gives no answer."""
    process = await asyncio.create_subprocess_exec(
        *command("doctor"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(threads),
        preexec_fn=dying_with_parent(0),
    )
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            said, complained = await process.communicate()
    except TimeoutError as error:
        raise TrainingFailed(f"`python -m trainer doctor` took more than {_ANSWER_SECONDS:g} s.") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        last = complained.decode(errors="replace").strip().rpartition("\n")[2]
        raise TrainingFailed(f"`python -m trainer doctor` fails: {last}")
    return finding_of(said.decode(errors="replace"))


def finding_of(said: str) -> TrainerFinding:
    """The lines of the trainer's doctor in one sentence. Raises TrainingFailed when they do not name the operator."""
    lines = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    try:
        torch, compiler, rung, gpu = lines["torch"], lines["compiler"], lines[_OPERATOR], lines["GPU"]
    except KeyError as error:
        raise TrainingFailed(
            f"`python -m trainer doctor` says nothing of {error}; is another version on the path?"
        ) from error
    on_gpu = lines.get(f"{_OPERATOR} on the GPU", "")
    sentence = f"torch {torch}; compiler {compiler}; operators {rung}; GPU {gpu}"
    return TrainerFinding(
        f"{sentence}; operators on it {on_gpu}" if on_gpu else sentence,
        slow=not any(one.startswith(_FASTEST) for one in (rung, on_gpu)),
    )
