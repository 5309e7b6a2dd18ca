"""`ghostd audit`: is a dataset what was exported and signed, and does a sample of it still run; needs no database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for
from ghostd.errors import ConfigurationError, VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ghostd.core.crystal import Crystal
    from ghostd.export.audit import Audit, Check
    from ghostd.export.variations import VariationRecord
    from ghostd.ports import Sandbox
    from ghostd.settings import Settings


def audit(
    context: typer.Context,
    dataset: Annotated[Path, typer.Argument(help="The folder of a dataset.")],
    replay: Annotated[str, typer.Option(help="Also execute a random sample again: N crystals, or N%.")] = "",
    key: Annotated[Path | None, typer.Option(help="The public key that must have signed: ledger.pub.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Check a dataset offline and name what was altered; exit 10 when something was."""
    from ghostd.export.audit import audit_dataset
    from ghostd.export.audit_signatures import read_public_key

    settings = settings_for(context, config, data_dir)
    pinned = key or settings.export.trusted_key
    trusted = read_public_key(pinned.expanduser()) if pinned is not None else None
    found = audit_dataset(dataset, trusted=trusted)
    checks = found.checks
    if replay and found.ok:
        checks = (*checks, run(_replay(settings, dataset, _sample_size(replay, found.crystals), vouched=bool(trusted))))
    problems = [problem for check in checks for problem in check.problems]
    if as_json:
        print_json(_document(found, checks, pinned=trusted is not None))
    else:
        _print(found, checks, pinned=trusted is not None)
    if problems:
        unplayed = " Nothing was replayed." if replay and not found.ok else ""
        raise VerificationFailed(f"{dataset} is not what was exported: {len(problems)} problems.{unplayed}")


def _sample_size(wanted: str, crystals: int) -> int:
    number = wanted.removesuffix("%")
    if not number.isascii() or not number.isdigit() or int(number) == 0:
        raise ConfigurationError(
            f"'{wanted}' is no sample; --replay takes a number of crystals or a percentage: 20, 5%."
        )
    share = -(-crystals * int(number) // 100) if wanted.endswith("%") else int(number)
    return min(share, crystals)


async def _replay(settings: "Settings", dataset: Path, count: int, *, vouched: bool) -> "Check":
    """Execute a random sample again; without isolation only what a known key says to be the textbook's."""
    import secrets

    from ghostd.app import opened_sandbox
    from ghostd.export.audit import Check, read_crystals
    from ghostd.export.variations import read_variations
    from ghostd.verify.pipeline import Verifier

    chosen = set(secrets.SystemRandom().sample(range(sum(1 for _ in read_crystals(dataset))), count))
    sample: list[Crystal] = [one for number, one in enumerate(read_crystals(dataset)) if number in chosen]
    trusted = vouched and all(one.teacher == "textbook" for one in sample)
    varied, _ = read_variations(dataset)
    problems: list[str] = []
    async with opened_sandbox(settings, trusted_teacher=trusted, say=lambda _: None) as sandbox:
        verifier = Verifier(sandbox, settings.verification)
        for crystal in sample:
            verdict = await verifier.replay(crystal)
            if verdict.failure is not None:
                artifact = verdict.failure.artifact.split("\n", 1)[0]
                problems.append(
                    f"crystal {crystal.id[:12]} ({crystal.concept.slug}) does not give what it recorded: "
                    f"{verdict.failure.reason} {artifact}".rstrip()
                )
            problems += await _replay_variations(sandbox, crystal, varied.get(crystal.id, ()))
        await verifier.close()
        count = sum(len(varied.get(one.id, ())) for one in sample)
        variations = f" with {count} variations" if count else ""
        return Check("replay", f"{len(sample)} crystals{variations} ({sandbox.backend})", tuple(problems))


async def _replay_variations(
    sandbox: "Sandbox", crystal: "Crystal", variations: "Sequence[VariationRecord]"
) -> list[str]:
    """What the crystal's code answers to its variations now, where that is not what the dataset says."""
    from ghostd.cycles.execution import answers

    given = await answers(sandbox, crystal, [one.arguments for one in variations])
    return [
        f"crystal {crystal.id[:12]} does not answer {one.question!r} with what is written."
        for one, answer in zip(variations, given, strict=True)
        if answer.value != one.value
    ]


def _document(found: "Audit", checks: "tuple[Check, ...]", *, pinned: bool) -> dict[str, object]:
    return {
        "ok": not any(check.problems for check in checks),
        "root": found.root,
        "crystals": found.crystals,
        "files": found.files,
        "signer": found.signer,
        "signer_known": pinned,
        "checks": [{"name": one.name, "looked_at": one.looked_at, "problems": one.problems} for one in checks],
    }


def _print(found: "Audit", checks: "tuple[Check, ...]", *, pinned: bool) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("check", "looked at", "result")
    for check in checks:
        result = f"[red]{len(check.problems)} problems[/red]" if check.problems else "[green]ok[/green]"
        table.add_row(check.name, escape(check.looked_at), result)
    console = Console()
    console.print(table)
    for check in checks:
        for problem in check.problems:
            console.print(f"- {problem}", markup=False, highlight=False, soft_wrap=True)
    if found.signer and not pinned:
        console.print(
            f"Signed by key {found.signer}. Whether you trust it is yours to say: --key ledger.pub.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
