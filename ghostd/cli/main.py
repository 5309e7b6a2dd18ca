"""`ghostd`: the commands, and the one place where an error becomes a sentence and an exit code."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ghostd.cli import (
    admin,
    ask,
    audit,
    calibration,
    dataset,
    dream,
    execute,
    explain,
    knowledge,
    ledger,
    observe,
    revoke,
    serve_student,
    serve_teacher,
    start,
    stop,
    train,
)
from ghostd.errors import GhostdError

_EPILOG = (
    "Exit codes: 0 done, 1 other error, 2 settings or usage, 3 database, 4 teacher, 5 sandbox, 6 not found, "
    "7 already running, 8 not running, 9 export, 10 verification failed, 11 training."
)

app = typer.Typer(
    name="ghostd",
    help="Turns a large language model into a growing, provable body of knowledge.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
config_app = typer.Typer(help="Settings.", no_args_is_help=True)
db_app = typer.Typer(help="The database.", no_args_is_help=True)
teacher_app = typer.Typer(help="The built-in textbook teacher.", no_args_is_help=True)
app.add_typer(calibration.app, name="calibration")
app.add_typer(ledger.app, name="ledger")
app.add_typer(config_app, name="config")
app.add_typer(db_app, name="db")
app.add_typer(teacher_app, name="teacher")

app.command("start")(start.start)
app.command("stop")(stop.stop)
app.command("status")(observe.status)
app.command("doctor")(observe.doctor)
app.command("export")(dataset.export)
app.command("audit")(audit.audit)
app.command("datasets")(revoke.datasets)
app.command("revoke")(revoke.revoke)
app.command("search")(knowledge.search)
app.command("show")(knowledge.show)
app.command("why")(explain.why)
app.command("verify")(knowledge.verify)
app.command("train")(train.train)
app.command("eval")(train.evaluate)
app.command("dream")(dream.dream)
app.command("ask")(ask.ask)
app.command("serve")(serve_student.serve)
app.command("execute", hidden=True)(execute.execute)
config_app.command("show")(admin.config_show)
db_app.command("upgrade")(admin.db_upgrade)
teacher_app.command("serve")(serve_teacher.serve)


def _version(wanted: bool) -> None:
    if wanted:
        from ghostd import __version__

        typer.echo(f"ghostd {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where ghostd keeps everything.")] = None,
    version: Annotated[  # noqa: ARG001 - its callback acts on it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Settings that every command takes."""
    context.obj = {"config": config, "data_dir": data_dir}


def main() -> None:
    """Run a command; errors become one sentence on stderr and a documented exit code."""
    try:
        app()
    except GhostdError as error:
        sys.stderr.write(f"ghostd: {error}\n")
        raise SystemExit(error.exit_code) from None
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # the reader went away, as `| head` does
            raise SystemExit(0) from None
        raise


if __name__ == "__main__":
    main()
