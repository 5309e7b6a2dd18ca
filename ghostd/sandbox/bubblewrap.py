"""Cells in fresh namespaces by bubblewrap, for machines without a container engine; needs no daemon and no image.

The machine's own interpreter and libraries are seen read-only, nothing else of it. Memory is capped by rlimits and
the supervisor's watch, not by a cgroup. As root, each cell runs under a user id of its own that owns nothing.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
from pathlib import Path

from ghostd.bundled import cell_version
from ghostd.errors import SandboxUnavailable
from ghostd.sandbox.config import SandboxConfig
from ghostd.sandbox.engine import FILES, USER
from ghostd.sandbox.pool import WarmPool
from ghostd.sandbox.process import spawn
from ghostd.sandbox.runtime import ENVIRONMENT, PYTHON_FLAGS, Runtime, lay_out
from ghostd.sandbox.session import Session

MINIMAL_VERSION = (0, 7, 0)  # --size and --perms for tmpfs
_INTERPRETER = Path("/python")  # where an interpreter that is not the system's appears inside
_USER_IDS = 0x6000_0000  # above every range that /etc/subuid hands out
_NAMESPACED_COUNTS = (5, 14)  # Linux: RLIMIT_NPROC is counted per user namespace from here on


async def require() -> str:
    """The path of a usable bwrap. Raises SandboxUnavailable."""
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxUnavailable("bubblewrap is not installed; `apt install bubblewrap` brings it.")
    asked = await asyncio.create_subprocess_exec(program, "--version", stdout=asyncio.subprocess.PIPE)
    answer, _ = await asked.communicate()
    version = tuple(int(part) for part in re.findall(r"\d+", answer.decode("ascii", "replace"))[:3])
    if version < MINIMAL_VERSION:
        raise SandboxUnavailable(f"bubblewrap {'.'.join(map(str, version))} is too old; 0.7 or newer is needed.")
    return program


class BubblewrapLauncher:
    """Starts cells as children of this process, each in namespaces of its own."""

    backend = "bubblewrap"
    isolates = True

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._program = ""
        self._runtime: Runtime | None = None
        self._version = cell_version()
        self.image_id = ""

    async def prepare(self) -> None:
        """Find bwrap and lay out the cell's program. Raises SandboxUnavailable."""
        self._program = await require()
        self._runtime = await asyncio.to_thread(lay_out)
        self.image_id = self._runtime.image_id

    async def launch(self) -> Session:
        """A started cell. Raises SandboxUnavailable."""
        if self._runtime is None:
            raise SandboxUnavailable("The bubblewrap sandbox is not started.")
        profile = os.open(self._runtime.filter, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return await spawn(
                self._arguments(self._runtime, profile),
                {},
                backend=self.backend,
                image_id=self.image_id,
                cell_version=self._version,
                grace_seconds=self._config.grace_seconds,
                pass_fds=(profile,),
            )
        finally:
            os.close(profile)

    async def close(self) -> None:
        """Delete the cell's program."""
        if self._runtime is not None:
            await asyncio.to_thread(self._runtime.remove)
            self._runtime = None

    def _arguments(self, runtime: Runtime, profile: int) -> list[str]:
        config, as_root = self._config, os.getuid() == 0
        kernel = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
        options = {
            "leftovers": ["/dev/mqueue", "/dev/shm"],  # noqa: S108 - of the cell alone
            "process_cap": config.pids,
            "file_cap": FILES,  # bwrap cannot limit the inodes of a tmpfs
            "file_bytes": config.file_mib << 20,
            "open_files": config.open_files,
            "user": _USER_IDS + secrets.randbelow(1 << 24) if as_root else 0,
            "processes": config.pids if as_root or kernel >= _NAMESPACED_COUNTS else 0,
        }
        # Root sets up the mounts and the cell gives up root itself: a user namespace would map it back to root, whose
        # process count the kernel does not limit. Anyone else gets a user namespace.
        identity = (
            ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
            if as_root
            else ["--unshare-user", "--uid", str(USER), "--gid", str(USER)]
        )
        environment = {**ENVIRONMENT, "HOME": "/w"}
        python, mounts = runtime.python, list[str]()
        if not runtime.prefix.is_relative_to("/usr"):  # it finds its library from where it lies
            python = _INTERPRETER / runtime.python.relative_to(runtime.prefix)
            mounts = ["--ro-bind", str(runtime.prefix), str(_INTERPRETER)]
        return [
            self._program,
            *("--die-with-parent", "--new-session", "--as-pid-1"),
            *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"),
            *("--hostname", "ghost", "--cap-drop", "ALL", *identity),
            *("--clearenv", *(word for pair in environment.items() for word in ("--setenv", *pair))),
            *("--ro-bind", "/usr", "/usr", "--ro-bind-try", "/lib", "/lib", "--ro-bind-try", "/lib64", "/lib64"),
            *mounts,
            *("--ro-bind", str(runtime.folder), "/ghostd", "--proc", "/proc", "--dev", "/dev"),
            *("--perms", "0777", "--size", str(config.workspace_mib << 20), "--tmpfs", "/w", "--chdir", "/w"),
            *("--remount-ro", "/dev", "--remount-ro", "/", "--seccomp", str(profile), "--"),
            *(str(python), *PYTHON_FLAGS, "/ghostd/cell.py", json.dumps(options)),
        ]


class BubblewrapSandbox(WarmPool):
    """`ports.Sandbox` over bubblewrap."""

    def __init__(self, config: SandboxConfig | None = None) -> None:
        config = config or SandboxConfig()
        super().__init__(BubblewrapLauncher(config), config)
