"""What every command needs: its settings, an event loop, and output that suits the reader."""

import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from ghostd.settings import Settings

T = TypeVar("T")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")]
DataDirOption = Annotated[Path | None, typer.Option("--data-dir", help="Where ghostd keeps everything.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def settings_for(context: typer.Context, config: Path | None, data_dir: Path | None) -> "Settings":
    """The settings, and the log set up as they say. Options stand before or after the command's name."""
    from ghostd import log, settings

    shared = context.obj or {}
    loaded = settings.load(config or shared.get("config"), data_dir=data_dir or shared.get("data_dir"))
    log.configure(level=loaded.log.level, json_lines=loaded.log.json_lines)
    return loaded


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to completion; Ctrl-C ends it with the usual code."""
    import uvloop

    try:
        return uvloop.run(work)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, sort_keys=True, default=str) + "\n")
    sys.stdout.flush()  # a reader that went away shows here, not while Python ends
