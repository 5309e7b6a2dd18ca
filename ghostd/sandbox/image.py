"""Sees to it that the engine has the sandbox image with this version of the cell; `sandbox/build` does the building."""

import asyncio
import sys
from collections.abc import Callable

from ghostd.bundled import bundled, cell_version
from ghostd.errors import SandboxUnavailable
from ghostd.sandbox.engine import Engine, Image

CELL_LABEL = "ghostd.cell"
_SAID_LINES = 5


async def ensure_image(engine: Engine, name: str, progress: Callable[[str], None]) -> Image:
    """The image, built when it is missing or holds another cell. Raises SandboxUnavailable."""
    image = await asyncio.to_thread(engine.image, name)
    if image is not None and image.labels.get(CELL_LABEL) == cell_version():
        return image
    await _build(engine.host, name, progress)
    image = await asyncio.to_thread(engine.image, name)
    if image is None or image.labels.get(CELL_LABEL) != cell_version():
        raise SandboxUnavailable(f"{name} was built but does not hold this version of the cell.")
    return image


async def _build(host: str, name: str, progress: Callable[[str], None]) -> None:
    script = bundled("sandbox") / "build"
    builder = await asyncio.create_subprocess_exec(
        sys.executable,
        str(script),
        "--tag",
        name,
        "--host",
        host,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert builder.stdout is not None  # noqa: S101 - a pipe was asked for; for the type checker
    said: list[str] = []
    async for line in builder.stdout:
        text = line.decode("utf-8", "replace").rstrip()
        said.append(text)
        progress(f"sandbox image: {text}")
    if await builder.wait():
        raise SandboxUnavailable(f"The sandbox image could not be built: {' / '.join(said[-_SAID_LINES:])}")
