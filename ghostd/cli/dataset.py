"""`ghostd export`: hand out what is known as a dataset."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for
from ghostd.errors import ConfigurationError, NotFound

if TYPE_CHECKING:
    from ghostd.export.dataset import ExportReport, ExportRequest
    from ghostd.settings import Settings


def export(
    context: typer.Context,
    training_dataset: Annotated[bool, typer.Option("--training-dataset", help="Export the training dataset.")] = True,  # noqa: ARG001 - the only kind so far
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier export there is replaced.")] = Path(
        "ghostd-dataset"
    ),
    min_grade: Annotated[str, typer.Option(help="executed, reproducible, tested, corroborated or audited.")] = "",
    domain: Annotated[str, typer.Option(help="Only this domain (its slug).")] = "",
    format_: Annotated[str, typer.Option("--format", help="Any of jsonl,parquet,text.")] = "",
    revoked: Annotated[
        str, typer.Option(help="drop, or refuse: fail when the folder's last export holds crystals revoked since.")
    ] = "",
    decontaminate: Annotated[
        Path | None, typer.Option(help="A folder of benchmark files; crystals that repeat them are left out.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Write a dataset folder: files, card and manifest. The same crystals give the same bytes."""
    settings = settings_for(context, config, data_dir)
    if decontaminate is not None:
        chosen = settings.export.model_copy(update={"decontaminate": decontaminate})
        settings = settings.model_copy(update={"export": chosen})
    report = run(_export(settings, out.absolute(), min_grade, domain, format_, revoked, quiet=as_json))
    if as_json:
        print_json(_document(report))
    else:
        _print(report)


async def _export(
    settings: "Settings", out: Path, min_grade: str, domain: str, formats: str, revoked: str, *, quiet: bool
) -> "ExportReport":
    from rich.console import Console

    from ghostd.app import ledger_of, opened_store
    from ghostd.export.dataset import write_dataset
    from ghostd.export.versions import DatasetVersions, record, refuse_revoked

    async with opened_store(settings) as store:
        known = [view.domain.slug for view in await store.domains()]
        if domain and domain not in known:
            raise NotFound(f"There is no domain '{domain}'; known: {', '.join(known) or 'none yet'}.")
        wanted = DatasetVersions(store, store, settings.data_dir / "datasets", settings.export).request(out)
        wanted = _narrowed(wanted, min_grade, domain, formats)
        if _refuses(revoked or settings.export.revoked):
            refuse_revoked(out, await store.revoked_in(str(out)))
        wanted = replace(wanted, revocations=await store.revocations_known())
        with Console(stderr=True, quiet=quiet).status("reading crystals") as status:
            report = await write_dataset(
                store.crystals(wanted.min_grade, domain),
                wanted,
                ledger_of(settings, store),
                variations=store.variations,
                progress=lambda count: status.update(f"{count} crystals"),
            )
        await record(store, report, report.path)
        return report


def _narrowed(request: "ExportRequest", min_grade: str, domain: str, formats: str) -> "ExportRequest":
    from ghostd.core.crystal import Grade
    from ghostd.export.writers import FORMATS

    grades = {grade.label: grade for grade in Grade if grade}
    if min_grade and min_grade not in grades:
        raise ConfigurationError(f"'{min_grade}' is not a grade; choose one of {', '.join(grades)}.")
    names = tuple(name.strip() for name in formats.split(",") if name.strip())
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise ConfigurationError(f"'{unknown[0]}' is not a format; choose any of {', '.join(FORMATS)}.")
    changes: dict[str, Any] = {"domain": domain}
    if min_grade:
        changes["min_grade"] = grades[min_grade]
    if names:
        changes["formats"] = names
    return replace(request, **changes)


def _refuses(revoked: str) -> bool:
    if revoked not in {"drop", "refuse"}:
        raise ConfigurationError(f"'{revoked}' is no way to treat revoked crystals; choose drop or refuse.")
    return revoked == "refuse"


def _document(report: "ExportReport") -> dict[str, Any]:
    return {
        "path": str(report.path),
        "root": report.root,
        "crystals": report.crystals,
        "contaminated": report.contaminated,
        "rows": report.rows,
        "files": {one.path: one.sha256 for one in report.files},
        "seconds": round(report.seconds, 3),
    }


def _print(report: "ExportReport") -> None:
    from rich.console import Console
    from rich.table import Table

    kinds = sorted({kind for counts in report.rows.values() for kind in counts})
    table = Table(title=f"{report.crystals} crystals in {report.path}", title_justify="left")
    table.add_column("split")
    for kind in kinds:
        table.add_column(kind, justify="right")
    for split, counts in report.rows.items():
        table.add_row(split, *(str(counts.get(kind, 0)) for kind in kinds))
    console = Console()
    console.print(table)
    if report.contaminated:
        console.print(f"{report.contaminated} crystals repeat a benchmark and were left out: decontamination.json")
    console.print(f"Merkle root {report.root}", soft_wrap=True)
