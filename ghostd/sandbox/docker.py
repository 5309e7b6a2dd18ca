"""Cells as hardened containers of a Docker or Podman engine: the default. Never exec, never cp, never used twice."""

import asyncio
import json
import secrets
import socket
import struct
from collections.abc import Callable

from ghostd.bundled import bundled, cell_version
from ghostd.core.evidence import Place
from ghostd.errors import SandboxUnavailable
from ghostd.sandbox.config import SandboxConfig
from ghostd.sandbox.engine import CellSpecification, Engine, usual_hosts
from ghostd.sandbox.image import ensure_image
from ghostd.sandbox.owner import NAMESPACE_LABEL, OWNER_LABEL, SESSION_LABEL, UNIT_LABEL, pid_namespace, this_process
from ghostd.sandbox.pool import WarmPool
from ghostd.sandbox.reaper import Reaper
from ghostd.sandbox.runtime import ENVIRONMENT
from ghostd.sandbox.session import Session

_STDERR_KEPT = 8 << 10  # bytes
_STDOUT, _STDERR = 1, 2
_MULTIPLEX = struct.Struct(">BxxxI")  # Docker Engine API, "Stream format" of attach


class AttachedStream:
    """The engine's attach stream: stdin as it is, stdout and stderr in marked pieces."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._output = bytearray()
        self.said = bytearray()  # the end of stderr

    async def read(self, count: int) -> bytes:
        """Exactly `count` bytes of stdout."""
        while len(self._output) < count:
            kind, size = _MULTIPLEX.unpack(await self._reader.readexactly(_MULTIPLEX.size))
            piece = await self._reader.readexactly(size)
            if kind == _STDOUT:
                self._output += piece
            elif kind == _STDERR:
                self.said += piece
                del self.said[:-_STDERR_KEPT]
        taken = bytes(self._output[:count])
        del self._output[:count]
        return taken

    async def write(self, data: bytes) -> None:
        """Hand over all of it to stdin."""
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        """Hang up; the cell sees the end of its stdin."""
        self._writer.close()


class DockerLauncher:
    """Starts containers, one per cell."""

    backend = "docker"
    isolates = True

    def __init__(self, config: SandboxConfig, session: str, progress: Callable[[str], None]) -> None:
        self._config = config
        self._session = session
        self._progress = progress
        self._owner = this_process()
        self._version = cell_version()
        self._engine: Engine | None = None
        self._reaper: Reaper | None = None
        self._specification: CellSpecification | None = None
        self.image_id = ""

    async def prepare(self) -> None:
        """Connect, have the image, remove what dead owners left. Raises SandboxUnavailable."""
        self._engine = await asyncio.to_thread(connect, self._config.docker_host)
        image = await ensure_image(self._engine, self._config.image, self._progress)
        self.image_id = image.id
        self._specification = self._specify(self._engine)
        self._reaper = Reaper(self._engine, self._owner, self._config.reap_seconds)
        await self._reaper.start()

    async def launch(self) -> Session:
        """A started container with its streams attached. Raises SandboxUnavailable."""
        if self._engine is None or self._specification is None or self._reaper is None:
            raise SandboxUnavailable("The docker sandbox is not started.")
        engine, reaper = self._engine, self._reaper
        opening = asyncio.ensure_future(asyncio.to_thread(self._open, engine, self._specification))
        try:
            container, streams = await asyncio.shield(opening)
        except asyncio.CancelledError:
            # the thread goes on and may still create a container: wait for it, then take that away
            outcome = (await asyncio.gather(opening, return_exceptions=True))[0]
            if not isinstance(outcome, BaseException):
                outcome[1].close()
                await reaper.remove(outcome[0])
            raise
        reader, writer = await asyncio.open_connection(sock=streams)
        stream = AttachedStream(reader, writer)

        async def destroy() -> None:
            stream.close()
            await reaper.remove(container)

        return Session(
            place=Place(self.backend, self.image_id, self._version, container),
            stream=stream,
            destroy=destroy,
            diagnose=lambda: bytes(stream.said).decode("utf-8", "replace"),
            grace_seconds=self._config.grace_seconds,
        )

    async def close(self) -> None:
        """Stop sweeping and close the connection."""
        if self._reaper is not None:
            await self._reaper.stop()
            self._reaper = None
        if self._engine is not None:
            await asyncio.to_thread(self._engine.close)
            self._engine = None

    def _open(self, engine: Engine, specification: CellSpecification) -> tuple[str, socket.socket]:
        container = engine.create(specification, {UNIT_LABEL: secrets.token_hex(8)})
        try:
            streams = engine.attach(container)
            try:
                engine.start(container)
            except SandboxUnavailable:
                streams.close()
                raise
        except SandboxUnavailable:
            engine.remove(container)
            raise
        return container, streams

    def _specify(self, engine: Engine) -> CellSpecification:
        config = self._config
        options = {
            "leftovers": ["/dev/mqueue", "/dev/shm"],  # noqa: S108 - mounted in the cell alone, writable in some engines
            "process_cap": config.pids,
            "file_bytes": config.file_mib << 20,
            "open_files": config.open_files,
        }
        return CellSpecification(
            image_id=self.image_id,
            arguments=(json.dumps(options),),
            environment={**ENVIRONMENT, "HOME": "/w"},
            labels={
                OWNER_LABEL: self._owner.label(),
                NAMESPACE_LABEL: pid_namespace(),
                SESSION_LABEL: self._session,
            },
            seccomp=(bundled("sandbox") / "seccomp.json").read_text("utf-8"),
            memory_bytes=config.memory_mib << 20,
            pids=config.pids,
            nano_cpus=config.nano_cpus,
            workspace_bytes=config.workspace_mib << 20,
            open_files=config.open_files,
            runtime=config.runtime or ("runsc" if "runsc" in engine.runtimes else ""),
            cgroup_parent=config.cgroup_parent,
        )


class DockerSandbox(WarmPool):
    """`ports.Sandbox` over containers. `session` names the daemon in the containers' labels."""

    def __init__(
        self,
        config: SandboxConfig | None = None,
        session: str = "ghostd",
        progress: Callable[[str], None] = lambda _line: None,
    ) -> None:
        config = config or SandboxConfig()
        super().__init__(DockerLauncher(config, session, progress), config)


def connect(host: str) -> Engine:
    """The engine at `host`, or the first usual socket that answers. Raises SandboxUnavailable."""
    hosts = [host] if host else usual_hosts()
    problems = []
    for candidate in hosts:
        try:
            return Engine(candidate)
        except SandboxUnavailable as problem:
            problems.append(f"{candidate}: {problem}")
    raise SandboxUnavailable(
        "No container engine answers"
        + (f" ({'; '.join(problems)})." if problems else ": there is no Docker or Podman socket that I may use.")
    )
