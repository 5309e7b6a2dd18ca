"""`ghostd stop`: ask the daemon to finish what it has begun and end."""

import os
import signal
import time
from typing import Annotated

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, settings_for
from ghostd.errors import GhostdError, NotRunning


def stop(
    context: typer.Context,
    now: Annotated[bool, typer.Option("--now", help="Do not wait for work in flight.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the end.")] = 60.0,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Stop the daemon that runs on the data directory."""
    from ghostd.daemon.health import is_running, read_state

    settings = settings_for(context, config, data_dir)
    state = read_state(settings.data_dir)
    if not is_running(settings.data_dir) or state is None:
        raise NotRunning(f"No ghostd runs on {settings.data_dir}; start one with `ghostd start`.")
    os.kill(state.pid, signal.SIGTERM)
    if now:
        time.sleep(0.2)  # the first signal must have been heard for the second to mean "now"
        os.kill(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + wait
    while is_running(settings.data_dir):
        if time.monotonic() > deadline:
            raise GhostdError(
                f"ghostd (pid {state.pid}) still drains after {wait:g} s; `ghostd stop --now` hurries it."
            )
        time.sleep(0.1)
    typer.echo("ghostd: stopped")
