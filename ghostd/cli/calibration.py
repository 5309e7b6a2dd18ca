"""`ghostd calibration`: how often the verifier is fooled, as tables and trend, and a calibration on demand."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for
from ghostd.errors import CrystallisationPaused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ghostd.core.calibration import Alarm, Order, Tally
    from ghostd.settings import Settings

app = typer.Typer(help="How often the verifier is fooled, measured.", invoke_without_command=True)
MarkdownOption = Annotated[bool, typer.Option("--markdown", help="Print the tables in Markdown.")]
_TREND_RUNS = 14


@app.callback()
def show(
    context: typer.Context,
    resume: Annotated[bool, typer.Option("--resume", help="End a pause of crystallisation.")] = False,
    markdown: MarkdownOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Show what calibration found: per kind of planted item, and run by run."""
    shared = context.obj or {}
    context.obj = {"config": config or shared.get("config"), "data_dir": data_dir or shared.get("data_dir")}
    if context.invoked_subcommand:
        return
    settings = settings_for(context, config, data_dir)
    if resume:
        resumed = run(_resume(settings))
        typer.echo("crystallisation goes on" if resumed else "crystallisation does not pause: nothing to resume")
        return
    tallies, trend, alarm = run(_show(settings))
    if as_json:
        print_json({"kinds": _rows(tallies), "trend": trend, "paused": alarm.reason if alarm else ""})
        return
    _print(tallies, markdown=markdown)
    _print_trend(trend, markdown=markdown)
    if alarm:
        typer.secho(
            f"Crystallisation pauses: {alarm.reason}. Lessons wait, nothing is lost. Mend what was fooled; then a good "
            "`ghostd calibration run` ends the pause, and so does `ghostd calibration --resume`.",
            fg="red",
        )


@app.command("run")
def run_now(
    context: typer.Context,
    false: Annotated[int, typer.Option(min=0, help="False items to plant.")] = 400,
    true: Annotated[int, typer.Option(min=0, help="Known-true items to plant.")] = 100,
    kind: Annotated[str, typer.Option(help="This kind only, such as off_by_one or recursion_code.")] = "",
    backend: Annotated[str, typer.Option(help="docker, bubblewrap or trusted; else as the settings say.")] = "",
    seed: Annotated[int | None, typer.Option(help="Plant the same items again; else new ones each time.")] = None,
    markdown: MarkdownOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Plant items of known truth now, off the books, and count; exit 10 when the verifier is found fooled."""
    from ghostd import log

    settings = settings_for(context, config, data_dir)
    log.configure(level="error", json_lines=settings.log.json_lines)  # teachers that err on purpose have much to say
    if backend:
        from ghostd.sandbox.config import SandboxConfig

        chosen = {**settings.sandbox.model_dump(), "backend": backend}
        settings = settings.model_copy(update={"sandbox": SandboxConfig.model_validate(chosen)})
    tallies, alarm, seconds = run(_run(settings, false, true, kind, int(time.time()) if seed is None else seed))
    if as_json:
        print_json({"kinds": _rows(tallies), "seconds": round(seconds, 1), "paused": alarm.reason if alarm else ""})
    else:
        _print(tallies, markdown=markdown)
        items = sum(one.planted for one in tallies)
        typer.echo(f"{items} items in {seconds:.0f} s, {items / seconds:.2f} a second")
    if alarm:
        raise CrystallisationPaused


async def _resume(settings: "Settings") -> bool:
    from ghostd.app import opened_store

    async with opened_store(settings) as store:
        return await store.clear_calibration_alarm("operator")


async def _show(
    settings: "Settings",
) -> "tuple[tuple[Tally, ...], list[dict[str, Any]], Alarm | None]":
    from ghostd.app import opened_store

    async with opened_store(settings) as store:
        tallies = await store.calibration_window(settings.calibration.window_days * 86_400, settled=True)
        return tallies, await store.calibration_trend(_TREND_RUNS), await store.calibration_alarm()


async def _run(
    settings: "Settings", false: int, true: int, kind: str, seed: int
) -> "tuple[tuple[Tally, ...], Alarm | None, float]":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from ghostd.app import calibration_of, opened_sandbox, opened_store
    from ghostd.core.calibration import order_of
    from ghostd.textbook.planting import label_of
    from ghostd.verify.pipeline import Verifier

    order = order_of(false, true, seed, kind, label_of(kind) if kind else None)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    say = Console(stderr=True)
    async with opened_store(settings) as store:
        # The code under test is the textbook's own, whoever teaches the daemon.
        async with opened_sandbox(
            settings, trusted_teacher=True, say=lambda one: say.print(one, soft_wrap=True)
        ) as box:
            verifier = Verifier(box, settings.verification)
            cycle = calibration_of(settings, store, verifier)
            began = time.monotonic()
            with Progress(*columns, console=say) as bar:
                task = bar.add_task("calibrating")
                try:
                    tallies = await cycle.run(
                        order,
                        _reason(order),
                        settings.daemon.sandbox_workers,
                        lambda done, items: bar.update(task, completed=done, total=items),
                    )
                finally:
                    await verifier.close()
            seconds = time.monotonic() - began
        return tallies, await store.calibration_alarm(), seconds


def _reason(order: "Order") -> str:
    return f"asked for, seed {order.seed}" + (f", only {order.kind}" if order.kind else "")


def _rows(tallies: "Sequence[Tally]") -> list[dict[str, Any]]:
    """The tallies as plain data."""
    return [
        {
            "kind": one.kind,
            "label": one.label.value,
            "planted": one.planted,
            "accepted": one.accepted,
            "accepts_low": one.accepts.low,
            "accepts_high": one.accepts.high,
            "mutants_killed": one.mutants_killed,
            "mutants_total": one.mutants_total,
            "reasons": dict(one.reasons),
            "misjudged": list(one.misjudged),
        }
        for one in tallies
    ]


def _print(tallies: "Sequence[Tally]", *, markdown: bool) -> None:
    from ghostd.core.calibration import Label, total

    titles = {
        Label.FALSE: "False items: each one accepted is a false accept",
        Label.DEEP: "One error in all that one teacher says: only another teacher can tell",
        Label.HARMLESS: "Faults of delivery: right once they are delivered",
        Label.TRUE: "True items: each one rejected is a false reject",
    }
    for label, title in titles.items():
        of_label = [one for one in tallies if one.label is label]
        if not of_label:
            continue
        true = label is Label.TRUE
        head = ["kind", "planted", "accepted", "false reject, 95 %" if true else "accepted, 95 %"]
        head += ["mutants killed"] if true else ["usual reason"]
        sums = [total(of_label, label)] if len(of_label) > 1 and label in {Label.FALSE, Label.TRUE} else []
        _table(title, head, [_cells(one, true=true) for one in (*of_label, *sums)], markdown=markdown)
        if label is not Label.DEEP:
            misjudged = [f"{one.kind}: {slug}" for one in of_label for slug in one.misjudged]
            typer.echo("".join(f"misjudged {line}\n" for line in misjudged), nl=False)


def _cells(one: "Tally", *, true: bool) -> list[str]:
    bounds = one.rejects if true else one.accepts
    killed = f"{one.mutants_killed / one.mutants_total:.1%}" if one.mutants_total else "-"
    reason = one.reasons[0][0] if one.reasons else ""
    kind = "all" if one.kind == one.label.value else one.kind.replace("_", " ")
    interval = f"{bounds.low:.2%} to {bounds.high:.2%}"
    return [kind, str(one.planted), str(one.accepted), interval, killed if true else reason]


def _print_trend(trend: "list[dict[str, Any]]", *, markdown: bool) -> None:
    from ghostd.core.calibration import wilson

    rows = []
    for one in reversed(trend):
        moment = time.strftime("%Y-%m-%d %H:%M", time.gmtime(one["started_at"]))
        high = wilson(one["false_accepted"], one["false_planted"]).high
        share = f"{one['true_accepted'] / one['true_planted']:.1%}" if one["true_planted"] else "-"
        false = f"{one['false_accepted']} of {one['false_planted']}"
        rows.append([moment, false, f"{high:.2%}", f"{one['true_accepted']} of {one['true_planted']}", share])
    head = ["run (UTC)", "false accepted", "at most, 95 %", "true accepted", "share"]
    if rows:
        _table("Run by run", head, rows, markdown=markdown)
    else:
        typer.echo("No calibration yet; `ghostd calibration run` makes one.")


def _table(title: str, head: list[str], rows: list[list[str]], *, markdown: bool) -> None:
    if markdown:
        lines = [f"{title}:", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        typer.echo("\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""]))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*head, title=title, title_justify="left")
    for row in rows:
        table.add_row(*map(escape, row))
    Console().print(table)
