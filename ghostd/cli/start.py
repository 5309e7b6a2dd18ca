"""`ghostd start`: learn until told to stop."""

import asyncio
import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, run, settings_for
from ghostd.errors import ConfigurationError

if TYPE_CHECKING:
    from ghostd.settings import Settings

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def parse_duration(text: str) -> float:
    """Seconds from "90", "90s", "15m", "8h" or "30d". Raises ConfigurationError."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)", text.strip())
    if not found:
        raise ConfigurationError(f"'{text}' is not a duration; write for example 90s, 15m, 8h or 30d.")
    return float(found.group(1)) * _UNITS[found.group(2)]


def start(
    context: typer.Context,
    until_crystals: Annotated[int, typer.Option(min=0, help="End when the store holds this many crystals.")] = 0,
    for_: Annotated[str, typer.Option("--for", help="End after this time, e.g. 90s, 15m, 8h.")] = "",
    plain: Annotated[bool, typer.Option(help="Plain log lines instead of the live view.")] = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Learn, verify and store until told to stop. Ctrl-C or SIGTERM drains; a second one stops now."""
    settings = settings_for(context, config, data_dir)
    seconds = parse_duration(for_) if for_ else 0.0
    try:
        run(_start(settings, until_crystals, seconds, live=sys.stdout.isatty() and not plain))
    except asyncio.CancelledError:
        _say("stopped before it had started")


async def _start(settings: "Settings", crystals: int, seconds: float, *, live: bool) -> None:
    from ghostd.app import opened_daemon
    from ghostd.cli.live import LiveView
    from ghostd.daemon.lifecycle import StopRequest, Until

    stop = StopRequest()
    stop.install()
    async with opened_daemon(settings, _say) as (daemon, store):
        stop.begun()
        if live:
            async with LiveView(store, daemon.state, settings) as view:
                reason = await daemon.run(Until(crystals, seconds), stop, view.refresh)
        else:
            reason = await daemon.run(Until(crystals, seconds), stop)
    _say(f"stopped: {reason}")


def _say(sentence: str) -> None:
    typer.echo(f"ghostd: {sentence}")
