"""`ghostd search`, `show` and `verify`: what is known, how it is known, and whether it still holds."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for
from ghostd.cli.explain import print_rungs, rung_documents
from ghostd.cli.standing import describe_standing, standing_of
from ghostd.errors import VerificationFailed

if TYPE_CHECKING:
    from ghostd.core.crystal import Crystal, Verdict
    from ghostd.core.evidence import Evidence
    from ghostd.core.explanation import RungAccount
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
    from ghostd.core.explanation import explain

    settings = settings_for(context, config, data_dir)
    found, evidence, standing = run(_show(settings, crystal))
    accounts = explain(evidence)
    if as_json:
        print_json({**_document(found), "evidence": rung_documents(accounts), "standing": standing})
    else:
        typer.echo(describe_standing(standing))
        _print(found, accounts)
        typer.echo(f"sandbox image: {', '.join(dict.fromkeys(one.place.image_id for one in evidence))}")
        typer.echo("ledger: leaf {leaf} of {size}".format_map(standing["ledger"]))


async def _show(settings: "Settings", crystal: str) -> "tuple[Crystal, list[Evidence], dict[str, Any]]":
    from ghostd.app import opened_store

    async with opened_store(settings) as store:
        found = await store.get(crystal)
        standing = {**await standing_of(store, found.id), "ledger": await store.ledger_place(found.id)}
        return found, await store.evidence_of(found.id), standing


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


def _print(crystal: "Crystal", accounts: "tuple[RungAccount, ...]") -> None:
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
    if crystal.properties:
        laws = Table("law of the exam", "status", title="Laws", title_justify="left")
        for checked in crystal.properties:
            laws.add_row(escape(checked.claim.check), checked.status)
        console.print(laws)
    print_rungs(console, accounts)
    console.print(_witness(crystal), highlight=False, markup=False)


def _witness(crystal: "Crystal") -> str:
    """What an independent solution said of the crystal."""
    found = crystal.corroboration
    if found is None:
        return "independent solution: none was compared"
    another = "the teacher itself, in another call" if found.solution.teacher == crystal.teacher else "another teacher"
    return (
        f"independent solution: by {found.solution.teacher} ({another}), which agreed on {found.agreed} of "
        f"{found.compared} argument lists"
    )
