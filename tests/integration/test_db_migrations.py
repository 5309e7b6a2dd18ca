"""Migrations on real databases: equal to the models, safe side by side, and clear about what they cannot do."""

import asyncio
import difflib
import re
import subprocess
import time
from pathlib import Path

import pytest
from procrastinate.schema import SchemaManager
from pydantic import SecretStr
from sqlalchemy import URL, create_engine

from ghostd.bundled import bundled
from ghostd.db.config import StoreConfig
from ghostd.db.embedded import Embedded
from ghostd.db.engine import Database
from ghostd.db.migrate import pending, upgrade
from ghostd.db.models import metadata
from ghostd.db.placement import installed_programs
from ghostd.db.store import open_store
from ghostd.errors import ConfigurationError, StoreError, StoreUnavailable
from tests.sql import execute

pytest_plugins = ["tests.postgres"]


def schema(url: URL) -> list[str]:
    """Our part of the schema as pg_dump writes it."""
    command = [installed_programs() / "bin" / "pg_dump", "--schema-only", "--no-owner", "--restrict-key=x"]
    command += ["--exclude-table=alembic_version", "--exclude-table=procrastinate_*"]
    command += ["-h", url.query["host"], "-U", url.username, url.database]
    dump = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True).stdout
    objects = re.split(r"\n--\n-- Name: ", dump)[1:]
    return sorted("\n".join(sorted(one.splitlines())) for one in objects if "procrastinate" not in one)


async def test_the_migrated_schema_is_the_one_of_the_models(database_url: URL, empty_database_url: URL) -> None:
    engine = create_engine(empty_database_url)
    metadata.create_all(engine)
    engine.dispose()
    difference = list(difflib.unified_diff(schema(empty_database_url), schema(database_url), lineterm="", n=0))
    assert not difference, "\n".join(difference)
    assert len(schema(database_url)) > 100


async def test_every_column_and_table_says_what_it_is() -> None:
    silent = [table.name for table in metadata.sorted_tables if not table.comment]
    silent += [str(column) for table in metadata.sorted_tables for column in table.columns if not column.comment]
    assert not silent


async def test_upgrading_reports_progress_and_then_has_nothing_left(empty_database_url: URL) -> None:
    assert len(await pending(empty_database_url)) == 1
    said: list[str] = []
    await upgrade(empty_database_url, progress=said.append)
    assert len(said) == 1
    assert await pending(empty_database_url) == []
    await upgrade(empty_database_url, progress=said.append)
    assert len(said) == 1


async def test_concurrent_upgrades_apply_each_revision_once(empty_database_url: URL) -> None:
    said: list[str] = []
    await asyncio.gather(*(upgrade(empty_database_url, progress=said.append) for _ in range(4)))
    assert len(said) == 1


async def test_a_database_from_the_future_is_refused(database_url: URL) -> None:
    execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"9999.*upgrade ghostd"):
        await upgrade(database_url)


async def test_the_queue_schema_is_that_of_the_installed_procrastinate() -> None:
    (pinned,) = bundled("migrations").glob("procrastinate-*.sql")
    assert pinned.read_text() == SchemaManager.get_schema(), "procrastinate has a new schema: it needs a migration"


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid", "/nowhere"])
async def test_an_unreachable_database_is_named_in_time_without_its_password(host: str, tmp_path: Path) -> None:
    url = URL.create("postgresql", "me", "hunter2", "localhost", 1, "knowledge").update_query_dict({"host": host})
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"database\.url") as caught:
        await open_store(StoreConfig(url=SecretStr(url.render_as_string(hide_password=False))), tmp_path)
    assert time.monotonic() - began < 5
    assert "hunter2" not in str(caught.value)


async def test_a_missing_database_is_named_with_its_remedy(server_url: URL, tmp_path: Path) -> None:
    url = server_url.set(database="missing").render_as_string(hide_password=False)
    with pytest.raises(StoreUnavailable, match="createdb missing"):
        await open_store(StoreConfig(url=SecretStr(url)), tmp_path)


async def test_a_wrong_user_is_named_with_its_remedy(server_url: URL, tmp_path: Path) -> None:
    url = server_url.set(username="stranger").render_as_string(hide_password=False)
    with pytest.raises(StoreUnavailable, match=r"correct database\.url"):
        await open_store(StoreConfig(url=SecretStr(url)), tmp_path)


async def test_a_wrong_password_is_named_with_its_remedy_and_not_repeated(open_directory: Path, tmp_path: Path) -> None:
    rules = open_directory / "pg_hba.conf"
    rules.write_text("local all ghostd peer map=ghostd\nlocal all reader scram-sha-256\n")
    rules.chmod(0o644)
    server = Embedded(open_directory, settings={"hba_file": str(rules)})
    url = server.start()
    try:
        execute(url, "CREATE ROLE reader LOGIN PASSWORD 'right'")
        wrong = url.set(username="reader", password="hunter2").render_as_string(hide_password=False)
        with pytest.raises(StoreUnavailable, match=r"correct database\.url") as caught:
            await open_store(StoreConfig(url=SecretStr(wrong)), tmp_path)
        assert "hunter2" not in str(caught.value)
    finally:
        server.stop()


async def test_a_database_in_another_encoding_is_refused(server_url: URL, tmp_path: Path) -> None:
    execute(server_url, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    url = server_url.set(database="latin").render_as_string(hide_password=False)
    with pytest.raises(ConfigurationError, match="UTF8"):
        await open_store(StoreConfig(url=SecretStr(url)), tmp_path)


async def test_a_slow_statement_and_a_held_lock_are_named(database_url: URL) -> None:
    database = Database(database_url, StoreConfig(statement_timeout_seconds=0.2, lock_timeout_seconds=0.1))
    with pytest.raises(StoreError, match="statement_timeout_seconds"):
        async with database.transaction() as connection:
            await connection.exec_driver_sql("SELECT pg_sleep(5)")
    async with database.transaction() as holder:
        await holder.exec_driver_sql("LOCK TABLE concepts")
        with pytest.raises(StoreError, match="lock_timeout_seconds"):
            async with database.transaction() as waiter:
                await waiter.exec_driver_sql("LOCK TABLE concepts")
    await database.close()
