"""Serves an ASGI app on a port until it is told to stop; `ghostd teacher serve` is this and nothing more."""

import errno
import socket

import uvicorn
from starlette.types import ASGIApp

from ghostd.errors import ConfigurationError

_BACKLOG = 128


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. Raises ConfigurationError that names the remedy."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(f"Port {port} on {host} is in use; choose another with --port.") from error
        reason = error.strerror or str(error)
        raise ConfigurationError(
            f"Cannot listen on {host}:{port} ({reason}); choose another --host or --port."
        ) from error
    return listener


async def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way."""
    config = uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False)
    await uvicorn.Server(config).serve(sockets=[listener])
