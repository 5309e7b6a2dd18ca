"""`ghostd status` and `ghostd doctor`: what is going on, and what is missing."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for

if TYPE_CHECKING:
    from ghostd.settings import Settings


def status(
    context: typer.Context,
    watch: Annotated[bool, typer.Option(help="Refresh every two seconds until Ctrl-C.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Show what ghostd is doing, growth, yield and cost. Works while it runs and when it is down."""
    settings = settings_for(context, config, data_dir)
    if watch:
        run(_watch(settings))
        return
    document = run(_status(settings))
    if as_json:
        print_json(document)
        return
    from rich.console import Console

    from ghostd.cli.live import render

    Console().print(render(document))


async def _status(settings: "Settings") -> dict[str, Any]:
    from ghostd.app import opened_store
    from ghostd.monitor.status import daemon_status, knowledge_status

    daemon = daemon_status(settings.data_dir)
    if not settings.data_dir.is_dir():
        return {"daemon": daemon, "data_dir": str(settings.data_dir), "knowledge": None}
    async with opened_store(settings) as store:
        knowledge = await knowledge_status(store, settings.calibration.window_days)
    return {"daemon": daemon, "data_dir": str(settings.data_dir), "knowledge": knowledge}


async def _watch(settings: "Settings") -> None:
    from rich.live import Live

    from ghostd.cli.live import render
    from ghostd.monitor.status import daemon_status

    document = await _status(settings)
    with Live(auto_refresh=False, screen=True) as live:
        while True:
            live.update(render(document), refresh=True)
            await asyncio.sleep(2.0)
            daemon = daemon_status(settings.data_dir)
            if daemon["running"] or document["daemon"]["running"]:
                document = await _status(settings)
            else:  # the store rests too: asking it would start Postgres every two seconds for the same answer
                document["daemon"] = daemon


def doctor(
    context: typer.Context, as_json: JsonOption = False, config: ConfigOption = None, data_dir: DataDirOption = None
) -> None:
    """Check disk, Postgres, teacher, sandbox and trainer: what works, and what to do about what does not."""
    from ghostd.diagnosis import diagnose

    settings = settings_for(context, config, data_dir)
    findings = run(diagnose(settings))
    if as_json:
        print_json([{"what": one.what, "ok": one.ok, "found": one.found, "remedy": one.remedy} for one in findings])
    else:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table("", "what", "found", "what to do")
        for one in findings:
            found = one.found.removeprefix(f"{one.what}: ").removeprefix("database: ")
            table.add_row("[green]ok[/]" if one.ok else "[red]no[/]", one.what, escape(found), escape(one.remedy))
        Console().print(table)
    worst = next((one.exit_code for one in findings if not one.ok and one.needed), 0)
    raise typer.Exit(worst)
