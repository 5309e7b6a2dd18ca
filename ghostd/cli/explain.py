"""`ghostd why`, and the table that `ghostd show` shares with it: what each rung ran, showed and cost."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for

if TYPE_CHECKING:
    from rich.console import Console

    from ghostd.core.evidence import Evidence
    from ghostd.core.explanation import RungAccount
    from ghostd.ports import AttemptRecord
    from ghostd.settings import Settings

AttemptArgument = Annotated[str, typer.Argument(help="Number of an attempt, or domain/concept for its newest one.")]
_SHOWN_CHARACTERS = 1500  # of an artifact


def why(
    context: typer.Context,
    attempt: AttemptArgument,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Tell what became of an attempt: which rung failed, why, what the teacher got to see, what the others showed."""
    from ghostd.core.explanation import explain, meaning

    settings = settings_for(context, config, data_dir)
    line, evidence = run(_why(settings, attempt))
    found, accounts = line[-1], explain(evidence)
    if as_json:
        print_json(
            {
                "attempt": found.id,
                "concept": found.concept.slug,
                "teacher": found.teacher,
                "stage": found.stage,
                "verdict": found.verdict,
                "failure": _failure(found),
                "meaning": meaning(found.failure.reason) if found.failure else "",
                "rungs": rung_documents(accounts),
                "repairs": [{"attempt": one.id, "verdict": one.verdict, "failure": _failure(one)} for one in line[:-1]],
            }
        )
        return
    from rich.console import Console

    _print(Console(), line, accounts)


async def _why(settings: "Settings", name: str) -> "tuple[list[AttemptRecord], list[Evidence]]":
    """The attempt behind those that it repairs, the first try first, and its own evidence."""
    from ghostd.app import opened_store

    async with opened_store(settings) as store:
        line = [await store.find_attempt(name)]
        while (parent := line[0].parent_id) is not None:
            line.insert(0, await store.load_attempt(parent))
        return line, await store.evidence_of_attempt(line[-1].id)


def rung_documents(accounts: "tuple[RungAccount, ...]") -> list[dict[str, Any]]:
    """The accounts as plain data; times in seconds."""
    return [
        {
            "rung": one.rung,
            "executions": one.executions,
            "against": one.against,
            "cpu_seconds": round(one.cpu_seconds, 6),
            "wall_seconds": round(one.wall_seconds, 6),
            "shown": list(one.shown),
        }
        for one in accounts
    ]


def print_rungs(console: "Console", accounts: "tuple[RungAccount, ...]") -> None:
    """The rungs that executed anything, with what they showed and what they cost."""
    from rich.markup import escape
    from rich.table import Table

    cpu = sum(one.cpu_seconds for one in accounts)
    wall = sum(one.wall_seconds for one in accounts)
    table = Table(
        "rung",
        "runs",
        "CPU ms",
        "wall ms",
        "what was seen",
        title=f"The ladder: {sum(one.executions for one in accounts)} executions, "
        f"{1000 * cpu:.0f} ms of CPU, {1000 * wall:.0f} ms of wall time",
        title_justify="left",
    )
    for one in accounts:
        seen = "\n".join(one.shown)
        table.add_row(
            one.rung,
            str(one.executions),
            f"{1000 * one.cpu_seconds:.0f}",
            f"{1000 * one.wall_seconds:.0f}",
            escape(seen),
        )
    console.print(table)


def _failure(attempt: "AttemptRecord") -> dict[str, str] | None:
    failure = attempt.failure
    if failure is None:
        return None
    return {"rung": failure.rung, "reason": failure.reason, "artifact": failure.artifact}


def _print(console: "Console", line: "list[AttemptRecord]", accounts: "tuple[RungAccount, ...]") -> None:
    from ghostd.core.explanation import meaning

    found = line[-1]
    plain: dict[str, Any] = {"highlight": False, "markup": False}
    console.print(f"attempt {found.id}: {found.concept.title}  ({found.concept.slug})", style="bold", **plain)
    console.print(f"teacher {found.teacher}, {found.verdict or 'no verdict yet'} at stage {found.stage}", **plain)
    for one in line[:-1]:
        reason = one.failure.reason if one.failure else "it has no verdict yet"
        console.print(f"it repairs attempt {one.id}: {reason}", **plain)
    if found.failure is not None:
        console.print(f"\n{found.failure.reason}", style="bold red", **plain)
        console.print(meaning(found.failure.reason), **plain)
        if found.failure.artifact:
            console.print(f"\n{found.failure.artifact[:_SHOWN_CHARACTERS]}", **plain)
    console.print()
    if accounts:
        print_rungs(console, accounts)
    else:
        console.print("Nothing was executed.", **plain)
