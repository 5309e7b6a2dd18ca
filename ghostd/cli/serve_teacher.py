"""`ghostd teacher serve`: the textbook teacher on a port, for any OpenAI-compatible client."""

import errno
import socket
from typing import Annotated

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, settings_for
from ghostd.errors import ConfigurationError


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8099,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Serve the built-in textbook teacher: /v1/models and /v1/chat/completions. It is a catalogue, not an LLM."""
    import uvicorn

    from ghostd.textbook.app import create_app

    settings = settings_for(context, config, data_dir)
    listener = _listen(host, port)
    address = listener.getsockname()
    typer.echo(f"ghostd: textbook teacher on http://{address[0]}:{address[1]}/v1 (model 'textbook'); Ctrl-C ends it")
    server = uvicorn.Server(uvicorn.Config(create_app(settings.textbook), log_level="warning", lifespan="off"))
    server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(f"Port {port} on {host} is in use; choose another with --port.") from error
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {error.strerror}; choose another --host or --port."
        ) from error
    return listener
