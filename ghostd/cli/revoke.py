"""`ghostd revoke` and `ghostd datasets`: withdraw what is wrong, and see which datasets held it."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for
from ghostd.errors import ConfigurationError

if TYPE_CHECKING:
    from ghostd.core.crystal import Crystal
    from ghostd.db.datasets import DatasetVersion
    from ghostd.settings import Settings


def revoke(
    context: typer.Context,
    crystal: Annotated[str, typer.Argument(help="Crystal id, a unique beginning of it, or domain/concept.")],
    reason: Annotated[str, typer.Option(help="Why it is wrong; kept for ever, and its hash goes into the ledger.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Withdraw a crystal and everything made of it. There is no way back; revoking it again changes nothing."""
    reason = reason.strip()
    if not reason:
        raise ConfigurationError("A revocation needs its reason; say it with --reason TEXT.")
    settings = settings_for(context, config, data_dir)
    found, revoked, datasets = run(_revoke(settings, crystal, reason))
    if as_json:
        print_json({"crystal": found.id, "revoked": revoked, "datasets": [_document(one) for one in datasets]})
        return
    if not revoked:
        typer.echo(f"{found.id[:12]} {found.concept.title}: was revoked before; `ghostd show {found.id[:12]}` says why")
        return
    descendants = f", and {len(revoked) - 1} made of it" if len(revoked) > 1 else ""
    typer.echo(f"{found.id[:12]} {found.concept.title}: revoked{descendants}")
    for one in datasets:
        typer.echo(f"affected: {one.path} ({one.revoked} of {one.crystals} crystals revoked); export it anew")


async def _revoke(
    settings: "Settings", crystal: str, reason: str
) -> "tuple[Crystal, tuple[str, ...], list[DatasetVersion]]":
    import getpass
    import socket

    from ghostd.app import opened_store

    async with opened_store(settings) as store:
        found = await store.get(crystal)
        revoked = await store.revoke(found.id, reason, f"{getpass.getuser()}@{socket.gethostname()}")
        return found, revoked, [one for one in await store.datasets_with(revoked) if not one.dropped]


def datasets(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """List the datasets that were written, the newest first, and how many of their crystals were revoked since."""
    settings = settings_for(context, config, data_dir)
    versions = run(_datasets(settings, limit))
    if as_json:
        print_json([_document(one) for one in versions])
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("written", "crystals", "revoked since", "state", "Merkle root", "path")
    for one in versions:
        written = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.created_at))
        revoked = f"[red]{one.revoked}[/]" if one.revoked else "0"
        table.add_row(written, str(one.crystals), revoked, _state(one), one.root[:12], escape(one.path))
    Console().print(table if versions else "no dataset was written yet; `ghostd export` writes one")


async def _datasets(settings: "Settings", limit: int) -> "list[DatasetVersion]":
    from ghostd.app import opened_store

    async with opened_store(settings) as store:
        return await store.dataset_versions(limit)


def _document(one: "DatasetVersion") -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(one), "state": _state(one)}


def _state(one: "DatasetVersion") -> str:
    """Whether the dataset can still be used: current, affected (by a revocation), replaced, or gone from the disk."""
    from pathlib import Path

    from ghostd.errors import ExportError
    from ghostd.export.manifest import read_manifest

    try:
        root = "" if one.dropped else read_manifest(Path(one.path)).root
    except ExportError:
        root = ""
    if not root:
        return "gone"
    if root != one.root:
        return "replaced"
    return "affected" if one.revoked else "current"
