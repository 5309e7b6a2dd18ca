"""`ghostd search`, `show` and `verify`: what is known, how it is known, and whether it still holds."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for
from ghostd.errors import VerificationFailed

if TYPE_CHECKING:
    from ghostd.core.crystal import Crystal, Verdict
    from ghostd.settings import Settings

CrystalArgument = Annotated[str, typer.Argument(help="Crystal id, a unique beginning of it, or domain/concept.")]


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help='Words, "exact phrases", -without; left out: the newest.')] = "",
    domain: Annotated[str, typer.Option(help="Only this domain (its slug).")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Find crystals by id, name or full text."""
    settings = settings_for(context, config, data_dir)
    found = run(_search(settings, query, domain, limit))
    if as_json:
        print_json([_summary(crystal) for crystal in found])
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("crystal", "concept", "grade", "quality")
    for crystal in found:
        table.add_row(crystal.id[:12], escape(crystal.concept.title), crystal.grade.label, f"{crystal.quality:.2f}")
    Console().print(table if found else escape(f"nothing matches {query!r}"))


async def _search(settings: "Settings", query: str, domain: str, limit: int) -> "list[Crystal]":
    from ghostd.app import opened_store

    async with opened_store(settings) as store:
        return await store.search(query, domain, limit)


def show(
    context: typer.Context,
    crystal: CrystalArgument,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Show a crystal: explanation, code, results, claims, and the evidence it rests on."""
    settings = settings_for(context, config, data_dir)
    found, evidence = run(_show(settings, crystal))
    if as_json:
        print_json({**_document(found), "evidence": evidence})
    else:
        _print(found, evidence)


async def _show(settings: "Settings", crystal: str) -> "tuple[Crystal, list[dict[str, Any]]]":
    from ghostd.app import opened_store

    async with opened_store(settings) as store:
        found = await store.get(crystal)
        return found, await store.evidence_summary(found.id)


def verify(
    context: typer.Context,
    crystal: CrystalArgument,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Run a crystal's code, exam and claims again, now, in a fresh cell; exit 10 when it no longer holds."""
    settings = settings_for(context, config, data_dir)
    found, verdict, where = run(_verify(settings, crystal))
    reason = verdict.failure.reason if verdict.failure else ""
    if as_json:
        print_json({"crystal": found.id, "verdict": verdict.kind, "reason": reason, "sandbox": where})
    else:
        runs = len(verdict.evidence)
        typer.echo(
            f"{found.id[:12]} {found.concept.title}: {verdict.kind} ({runs} executions, {where}) {reason}".rstrip()
        )
    if verdict.failure is not None:
        raise VerificationFailed(
            f"{found.concept.title} no longer holds: {reason}. `ghostd show {found.id[:12]}` tells more."
        )


async def _verify(settings: "Settings", crystal: str) -> "tuple[Crystal, Verdict, str]":
    from ghostd.app import opened_sandbox, opened_store
    from ghostd.verify.pipeline import Verifier

    async with opened_store(settings) as store:
        found = await store.get(crystal)
        trusted = found.teacher == "textbook"
        async with opened_sandbox(settings, trusted_teacher=trusted, say=lambda _: None) as sandbox:
            verifier = Verifier(sandbox, settings.verification)
            verdict = await verifier.replay(found)
            await verifier.close()
        await store.record_reverification(found.id, verdict)
        return found, verdict, sandbox.backend


def _summary(crystal: "Crystal") -> dict[str, Any]:
    return {
        "id": crystal.id,
        "concept": crystal.concept.slug,
        "title": crystal.concept.title,
        "grade": crystal.grade.label,
        "quality": crystal.quality,
        "teacher": crystal.teacher,
    }


def _document(crystal: "Crystal") -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(crystal), "grade": crystal.grade.label, "slug": crystal.concept.slug}


def _print(crystal: "Crystal", evidence: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.padding import Padding
    from rich.syntax import Syntax
    from rich.table import Table

    from ghostd.core.canonical import display

    console = Console()
    console.print(f"[bold]{escape(crystal.concept.title)}[/bold]  ({crystal.concept.slug})", highlight=False)
    console.print(
        f"crystal {crystal.id}", f"hash    {crystal.verification_hash}", sep="\n", highlight=False, soft_wrap=True
    )
    console.print(
        f"grade {crystal.grade.label}, quality {crystal.quality:.2f}, teacher {escape(crystal.teacher)}\n",
        highlight=False,
    )
    console.print(crystal.lesson.explanation + "\n", highlight=False, markup=False)
    console.print(Padding(Syntax(crystal.lesson.code.strip(), "python", background_color="default"), (0, 2)))
    results = Table("question", "call", "result by execution", title="Results", title_justify="left")
    for exercise in crystal.exercises:
        call = f"{crystal.concept.entry}({exercise.arguments})"
        results.add_row(*map(escape, (exercise.question, call, display(exercise.value))))
    console.print(results)
    claims = Table("claim", "status", title="Claims", title_justify="left")
    for checked in crystal.claims:
        claims.add_row(escape(checked.claim.text), checked.status)
    console.print(claims)
    table = Table("rung", "executions", "for", "against", "image", title="Evidence", title_justify="left")
    for row in evidence:
        table.add_row(
            row["rung"], str(row["executions"]), str(row["supports"]), str(row["against"]), row["image_id"][:19]
        )
    console.print(table)
