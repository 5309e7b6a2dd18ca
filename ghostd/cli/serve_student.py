"""`ghostd serve`: a student behind an OpenAI-compatible server, the trainer's own."""

from typing import TYPE_CHECKING, Annotated

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, run, settings_for
from ghostd.cli.train import ModelOption, student_named
from ghostd.errors import TrainerMissing

if TYPE_CHECKING:
    from ghostd.settings import Settings


def serve(
    context: typer.Context,
    model: ModelOption = "champion",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8765,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Serve the champion: /v1/models, /v1/completions and /v1/chat/completions. Ctrl-C ends it."""
    run(_serve(settings_for(context, config, data_dir), model, port))


async def _serve(settings: "Settings", model: str, port: int) -> None:
    from ghostd.app import opened_store
    from ghostd.student.child import command, show_child
    from ghostd.student.trainer import lacking

    if missing := lacking():
        raise TrainerMissing(missing)
    async with opened_store(settings) as store:
        student = await student_named(store, model)
    typer.echo(f"ghostd: student {student.id} is coming up; Ctrl-C ends it")  # the server says where it listens
    asked = command("serve", student.folder, "--port", str(port))
    await show_child(asked, threads=settings.training.threads, variables={})
