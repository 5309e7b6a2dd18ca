"""`ghostd ledger`: the signed head, the check of the store against its log, and a new key where the old one is lost."""

from typing import TYPE_CHECKING

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for
from ghostd.errors import VerificationFailed

if TYPE_CHECKING:
    from ghostd.db.ledger_check import LedgerCheck
    from ghostd.export.proofs import HeadDocument
    from ghostd.settings import Settings

app = typer.Typer(help="The append-only log of all that was crystallised and revoked.", no_args_is_help=True)


@app.command()
def head(context: typer.Context, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Print the signed head as JSON; one is signed when the ledger grew. `ghostd audit --key` takes the output."""
    print_json(run(_head(settings_for(context, config, data_dir))).model_dump())


@app.command("new-key")
def new_key(context: typer.Context, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Begin with a new signing key, where the old one is lost or known to others; the old file is kept aside."""
    print_json(run(_new_key(settings_for(context, config, data_dir))).model_dump())


@app.command()
def check(
    context: typer.Context, as_json: JsonOption = False, config: ConfigOption = None, data_dir: DataDirOption = None
) -> None:
    """Prove the store against its own log and name what differs; exit 10 when something does."""
    settings = settings_for(context, config, data_dir)
    found = run(_check(settings))
    if as_json:
        from dataclasses import asdict

        print_json({**asdict(found), "ok": found.ok})
    else:
        typer.echo(
            f"{found.leaves} leaves, {found.crystals} crystals, {found.revocations} revocations, {found.heads} heads: "
            + ("all is as it was signed" if found.ok else f"{len(found.problems)} differences")
        )
        for problem in found.problems[:100]:
            typer.echo(f"- {problem}")
    if not found.ok:
        raise VerificationFailed(
            f"The store is not what its ledger says: {found.problems[0]} Restore the database from a backup."
        )


async def _head(settings: "Settings") -> "HeadDocument":
    from ghostd.app import ledger_of, opened_store
    from ghostd.export.proofs import HeadDocument

    async with opened_store(settings) as store:
        signed, _ = await ledger_of(settings, store).signed_head()
        return HeadDocument.of(signed)


async def _new_key(settings: "Settings") -> "HeadDocument":
    from ghostd.app import ledger_of, opened_store
    from ghostd.export.proofs import HeadDocument

    async with opened_store(settings) as store:
        return HeadDocument.of(await ledger_of(settings, store).new_key())


async def _check(settings: "Settings") -> "LedgerCheck":
    from ghostd.app import opened_store
    from ghostd.db.ledger_check import LedgerChecks

    async with opened_store(settings) as store:
        return await LedgerChecks(store.engine).check_ledger()
