"""A dataset as `ghostd export` really writes it, and a server that listens on a port of this machine."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from ghostd.export.dataset import ExportRequest, write_dataset
from tests.crystals import crystals, stream


def exported(folder: Path, count: int = 60) -> Path:
    """The dataset of the first crystals."""
    asyncio.run(write_dataset(stream(crystals(count)), ExportRequest(folder / "dataset")))
    return folder / "dataset"


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The app on a free port; yields its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join(10)
