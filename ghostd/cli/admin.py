"""`ghostd config show` and `ghostd db upgrade`."""

import typer

from ghostd.cli.common import ConfigOption, DataDirOption, JsonOption, print_json, run, settings_for


def config_show(
    context: typer.Context, as_json: JsonOption = False, config: ConfigOption = None, data_dir: DataDirOption = None
) -> None:
    """Print the settings in force; secrets are masked."""
    from ghostd.settings import describe

    document = describe(settings_for(context, config, data_dir))
    if as_json:
        print_json(document)
        return
    import yaml

    typer.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)


def db_upgrade(context: typer.Context, config: ConfigOption = None, data_dir: DataDirOption = None) -> None:
    """Bring the database to this version's schema; `start` does it too."""
    from ghostd.app import opened_store

    settings = settings_for(context, config, data_dir)

    async def upgrade() -> str:
        async with opened_store(settings) as store:
            return f"{store.sentence}; schema is up to date"

    typer.echo(run(upgrade()))
