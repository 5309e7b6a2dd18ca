"""Which backend runs the code: the settings' choice, or the strongest that works here; it refuses before it weakens."""

import asyncio
from collections.abc import Callable

from ghostd.errors import IsolationRefused, SandboxUnavailable
from ghostd.ports import Sandbox
from ghostd.sandbox.bubblewrap import BubblewrapSandbox, require
from ghostd.sandbox.config import Backend, SandboxConfig
from ghostd.sandbox.docker import DockerSandbox, connect
from ghostd.sandbox.image import ensure_image
from ghostd.sandbox.trusted import TrustedSandbox

Progress = Callable[[str], None]

BACKENDS = (Backend.DOCKER, Backend.BUBBLEWRAP, Backend.TRUSTED)  # the strongest first


def _silent(_line: str) -> None:
    return


async def obstacle(backend: Backend, config: SandboxConfig, progress: Progress = _silent) -> str:
    """What keeps a backend from working here; '' when nothing does. Builds Docker's image if it must."""
    try:
        if backend is Backend.DOCKER:
            engine = await asyncio.to_thread(connect, config.docker_host)
            try:
                await ensure_image(engine, config.image, progress)
            finally:
                await asyncio.to_thread(engine.close)
        elif backend is Backend.BUBBLEWRAP:
            await require()
    except SandboxUnavailable as problem:
        return str(problem)
    return ""


def build(backend: Backend, config: SandboxConfig, owner: str, progress: Progress = _silent) -> Sandbox:
    """A sandbox of this backend, not started yet; whether it may be used is not asked here."""
    match backend:
        case Backend.DOCKER:
            return DockerSandbox(config, owner, progress)
        case Backend.BUBBLEWRAP:
            return BubblewrapSandbox(config)
    return TrustedSandbox(config)


async def choose_sandbox(
    config: SandboxConfig, *, owner: str, trusted_teacher: bool, progress: Progress = _silent
) -> tuple[Sandbox, str]:
    """The sandbox, not started yet, and one sentence for people: what was chosen, why, and how to change it.

    `owner` names the daemon in the labels of its containers. `trusted_teacher` says that only the built-in textbook
    teacher's code will be run. Raises IsolationRefused or, for a backend named in the settings, SandboxUnavailable.
    """
    wanted = BACKENDS if config.backend is Backend.AUTO else (config.backend,)
    missing: list[str] = []
    for backend in wanted:
        if backend is Backend.TRUSTED and not (trusted_teacher or config.allow_unisolated):
            raise IsolationRefused(
                f"This teacher's code is not run without isolation. {' '.join(missing)} Install Docker or bubblewrap, "
                "use the built-in textbook teacher, or set sandbox.allow_unisolated = true if it may do all you may do."
            )
        problem = await obstacle(backend, config, progress)
        if not problem:
            return build(backend, config, owner, progress), _sentence(backend, config, missing)
        missing.append(problem)
    raise SandboxUnavailable(" ".join(missing))


def _sentence(backend: Backend, config: SandboxConfig, missing: list[str]) -> str:
    where = {
        Backend.DOCKER: f"in containers of the image {config.image}",
        Backend.BUBBLEWRAP: "in bubblewrap namespaces",
        Backend.TRUSTED: "in plain processes WITHOUT isolation, which is only for code that is trusted",
    }[backend]
    if config.backend is not Backend.AUTO:
        return f"Code runs {where}, as sandbox.backend asks."
    why = f"; stronger ways are missing: {' '.join(missing)}" if missing else ""
    return f"Code runs {where}{why.rstrip('.')}. Set sandbox.backend to choose another way."
