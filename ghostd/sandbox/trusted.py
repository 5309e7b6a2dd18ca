"""Cells as plain processes with rlimits and the seccomp profile, for code that is trusted: the textbook teacher's.

It does NOT isolate: files of this account can be read and written. A cell has no network only because the profile
denies sockets, runs may start threads but no processes, and nothing caps memory as a whole but the supervisor's watch.
"""

import asyncio
import json
import shutil
import tempfile

from ghostd.bundled import cell_version
from ghostd.errors import SandboxUnavailable
from ghostd.sandbox.config import SandboxConfig
from ghostd.sandbox.pool import WarmPool
from ghostd.sandbox.process import spawn
from ghostd.sandbox.runtime import ENVIRONMENT, PYTHON_FLAGS, Runtime, lay_out
from ghostd.sandbox.session import Session


class TrustedLauncher:
    """Starts cells as children of this process."""

    backend = "trusted"
    isolates = False

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._runtime: Runtime | None = None
        self._version = cell_version()
        self.image_id = ""

    async def prepare(self) -> None:
        """Lay out the cell's program."""
        self._runtime = await asyncio.to_thread(lay_out)
        self.image_id = self._runtime.image_id

    async def launch(self) -> Session:
        """A started cell. Raises SandboxUnavailable."""
        if self._runtime is None:
            raise SandboxUnavailable("The trusted sandbox is not started.")
        workspace = tempfile.mkdtemp(prefix="ghostd-work-")
        options = {
            "workspace": workspace,
            "filter": str(self._runtime.filter),
            "forks": False,  # neither a cgroup nor, for root, an rlimit would end a fork bomb
            "process_cap": self._config.pids,
            "file_bytes": self._config.file_mib << 20,
            "open_files": self._config.open_files,
        }
        session = await spawn(
            [str(self._runtime.python), *PYTHON_FLAGS, str(self._runtime.folder / "cell.py"), json.dumps(options)],
            {**ENVIRONMENT, "HOME": workspace},
            backend=self.backend,
            image_id=self.image_id,
            cell_version=self._version,
            grace_seconds=self._config.grace_seconds,
        )
        end = session.destroy

        async def destroy() -> None:
            await end()
            await asyncio.to_thread(shutil.rmtree, workspace, ignore_errors=True)

        session.destroy = destroy
        return session

    async def close(self) -> None:
        """Delete the cell's program."""
        if self._runtime is not None:
            await asyncio.to_thread(self._runtime.remove)
            self._runtime = None


class TrustedSandbox(WarmPool):
    """`ports.Sandbox` without isolation; see the module's warning."""

    def __init__(self, config: SandboxConfig | None = None) -> None:
        config = config or SandboxConfig()
        super().__init__(TrustedLauncher(config), config)
