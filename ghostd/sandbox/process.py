"""A cell that is a child process of this one: spawned, spoken to over pipes, killed whole."""

import asyncio
import os
import secrets
import signal
from collections.abc import Sequence
from contextlib import suppress

from ghostd.core.evidence import Place
from ghostd.errors import SandboxUnavailable
from ghostd.sandbox.session import Session

_STDERR_KEPT = 8 << 10  # bytes
_EXIT_SECONDS = 3.0  # for a cell to end everything in it after its owner hung up


class PipeStream:
    """A child's stdin and stdout as a Stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        return await self._reader.readexactly(count)

    async def write(self, data: bytes) -> None:
        """Hand over all of it."""
        self._writer.write(data)
        await self._writer.drain()


async def spawn(
    arguments: Sequence[str],
    environment: dict[str, str],
    *,
    backend: str,
    image_id: str,
    cell_version: str,
    grace_seconds: float,
    pass_fds: Sequence[int] = (),
) -> Session:
    """A session with a fresh child. Raises SandboxUnavailable when it cannot be started."""
    try:
        child = await asyncio.create_subprocess_exec(
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=pass_fds,
            start_new_session=True,  # Ctrl-C at the terminal is the daemon's to handle
            cwd="/",
        )
    except OSError as problem:
        raise SandboxUnavailable(f"A {backend} cell could not be started: {problem}.") from problem
    assert child.stdin and child.stdout and child.stderr  # noqa: PT018, S101 - all three are pipes, for the type checker
    said = bytearray()
    listening = asyncio.get_running_loop().create_task(_listen(child.stderr, said))
    writer = child.stdin

    async def destroy() -> None:
        # the supervisor ends every run and zygote when its owner hangs up; it is killed only if it does not
        with suppress(OSError):
            writer.close()
        try:
            await asyncio.wait_for(child.wait(), _EXIT_SECONDS)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    return Session(
        place=Place(backend, image_id, cell_version, f"{child.pid}-{secrets.token_hex(4)}"),
        stream=PipeStream(child.stdout, writer),
        destroy=destroy,
        diagnose=lambda: bytes(said).decode("utf-8", "replace"),
        grace_seconds=grace_seconds,
    )


async def _listen(stderr: asyncio.StreamReader, kept: bytearray) -> None:
    while data := await stderr.read(4096):
        kept += data
        del kept[:-_STDERR_KEPT]
