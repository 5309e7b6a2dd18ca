"""One `python -m trainer` process: niced, logged, ended with its parent; what it does is the caller's affair."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from ghostd.bundled import bundled
from ghostd.errors import TrainingFailed

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)
_SAVING_SECONDS = 60.0  # what the trainer may take for its last checkpoint once it is asked to stop
_TAIL_BYTES = 4096
_SECRET = ("GHOSTD_", "CREDENTIALS_DIRECTORY", "OPENAI_API_KEY")  # what the trainer has no business to know


class Ended(StrEnum):
    """Why a child is no more."""

    DONE = "done"  # exit status 0
    ASKED = "asked"  # to stop, by `stop`
    LATE = "late"  # its time was over
    KILLED = "killed"  # by somebody else's signal
    FAILED = "failed"  # it said why in its log


def command(*arguments: str | Path) -> list[str]:
    """The command line of the trainer with this interpreter."""
    return [sys.executable, "-m", "trainer", *(str(one) for one in arguments)]


def environment(threads: int) -> Mapping[str, str]:
    """The environment without secrets and with the trainer on the path; 0 threads are half of the cores."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET)}
    count = threads or max(1, len(os.sched_getaffinity(0)) // 2)
    return {**kept, "PYTHONPATH": str(bundled("trainer").parent), "OMP_NUM_THREADS": str(count)}


def dying_with_parent(niceness: int) -> Callable[[], None]:
    """What a new child does before it becomes the trainer: step back in the queue for the processor, and end (saving)
    when this process does, also by kill -9.

    The kernel looks at the *thread* that started the child (prctl(2)), which here is the event loop's.
    """
    parent = os.getpid()

    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)
        os.nice(niceness)

    return prepare


async def run_child(
    arguments: Sequence[str],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    niceness: int,
    stop: asyncio.Event,
    seconds: float | None = None,
    held: Sequence[int] = (),
) -> Ended:
    """Run to the end, until `stop` is set or the time is over; then it is asked to save and end, and killed at last.

    Args:
        arguments: the whole command line.
        folder: it works in.
        log: takes all that it prints.
        environment: all of its variables.
        niceness: added to this process's.
        stop: ends it early.
        seconds: of wall clock at most; None for no limit.
        held: file descriptors that it keeps open as long as it lives.

    Raises:
        TrainingFailed: the program could not be started.

    """
    try:
        with log.open("ab") as stream:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=True,  # Ctrl-C on the terminal is for ghostd, which stops the trainer itself
                preexec_fn=dying_with_parent(niceness),  # three system calls, no lock
                pass_fds=held,
            )
    except OSError as error:
        raise TrainingFailed(f"The trainer could not be started ({error}); `ghostd doctor` may know more.") from error
    ended = asyncio.ensure_future(process.wait())
    asked = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait({ended, asked}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if ended in done:
            return _how(ended.result())
        process.terminate()
        saved, _ = await asyncio.wait({ended}, timeout=_SAVING_SECONDS)
        if saved and ended.result() == 0:
            return Ended.DONE
        return Ended.ASKED if asked in done else Ended.LATE
    finally:
        asked.cancel()
        if process.returncode is None:  # it would not end, or this task is being cancelled: it resumes from its file
            process.kill()
        await asyncio.shield(ended)


async def show_child(arguments: Sequence[str], *, threads: int, variables: Mapping[str, str]) -> None:
    """Run on this terminal to the end; Ctrl-C reaches it as well. Raises TrainingFailed unless it ends well."""
    process = await asyncio.create_subprocess_exec(
        *arguments, env={**environment(threads), **variables}, preexec_fn=dying_with_parent(0)
    )
    status = await process.wait()
    if status:
        raise TrainingFailed(f"The trainer ended with {status}; what it said above tells why.")


def _how(status: int) -> Ended:
    if status < 0:
        return Ended.KILLED
    return Ended.DONE if status == 0 else Ended.FAILED


def last_words(log: Path) -> str:
    """The last line of the log, which is where the trainer says in one sentence what went wrong; '' without one."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
