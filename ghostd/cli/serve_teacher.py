"""`ghostd teacher serve`: the textbook teacher on a port, for any OpenAI-compatible client."""

from typing import Annotated

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, run, settings_for


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8099,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Serve the built-in textbook teacher: /v1/models and /v1/chat/completions. It is a catalogue, not an LLM."""
    from ghostd.textbook import server
    from ghostd.textbook.app import create_app

    settings = settings_for(context, config, data_dir)
    with server.listen(host, port) as listener:
        address, taken = listener.getsockname()[:2]
        typer.echo(f"ghostd: textbook teacher on http://{address}:{taken}/v1 (model 'textbook'); Ctrl-C ends it")
        run(server.serve(create_app(settings.textbook), listener))
