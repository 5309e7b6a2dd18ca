"""`ghostd revoke`, `datasets`, `show`, `status` and `export --revoked`, as processes on a real Postgres."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import URL

from ghostd.core.crystal import Grade
from ghostd.db.config import StoreConfig
from ghostd.db.engine import Database
from ghostd.db.store import PostgresStore
from ghostd.export.config import ExportConfig
from ghostd.export.manifest import Manifest, read_manifest
from ghostd.export.versions import DatasetVersions
from tests.acceptance.process import Ghostd
from tests.crystals import crystal
from tests.integration.test_revocation import CRYSTALS, FALLEN, WRONG, populate
from tests.sql import execute

pytest_plugins = ["tests.postgres"]
pytestmark = pytest.mark.timeout(300)
REASON = "the sum leaves out 1; see the erratum"


@pytest.fixture
def ghostd(database_url: URL, tmp_path: Path) -> Ghostd:
    """Commands on a database with crystals."""

    async def fill() -> None:
        async with PostgresStore(Database(database_url, StoreConfig())) as store:
            await populate(store)

    asyncio.run(fill())
    address = database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    (tmp_path / "data").mkdir()
    return Ghostd(tmp_path / "data", GHOSTD_DATABASE__URL=address)


def exported(ghostd: Ghostd, out: Path, *options: str) -> set[str]:
    """The crystals in a fresh export."""
    ghostd.run("export", "--out", str(out), *options)
    return {json.loads(line)["id"] for line in (out / "crystals.jsonl").read_text().splitlines()}


@pytest.mark.slow
def test_a_person_revokes_and_everybody_who_should_hear_of_it_does(
    ghostd: Ghostd, tmp_path: Path, database_url: URL
) -> None:
    fallen, out = {crystal(number).id for number in FALLEN}, tmp_path / "dataset"
    before = exported(ghostd, out)
    assert fallen < before
    assert read_manifest(out).revocations.count == 0
    wrong = crystal(0)

    done = json.loads(ghostd.run("revoke", wrong.id[:12], "--reason", REASON, "--json").stdout)
    assert (done["crystal"], done["revoked"][0], set(done["revoked"])) == (wrong.id, wrong.id, fallen)
    assert {one["path"] for one in done["datasets"]} == {"/all", "/half", str(out)}
    assert "was revoked before" in ghostd.run("revoke", wrong.id, "--reason", "again").stdout

    told = ghostd.run("show", wrong.id).stdout
    assert "REVOKED" in told and REASON in told and "@" in told
    child = json.loads(ghostd.run("show", crystal(3).id, "--json").stdout)["standing"]["revocation"]
    assert child["origin_id"] == wrong.id and child["reason"].endswith(REASON)
    assert json.loads(ghostd.run("status", "--json").stdout)["knowledge"]["revoked"] == len(fallen)
    assert "5 revoked" in ghostd.run("status").stdout

    (newest, *_) = json.loads(ghostd.run("datasets", "--json").stdout)
    assert (newest["path"], newest["revoked"], newest["state"]) == (str(out), len(fallen), "affected")
    assert "affected" in ghostd.run("datasets").stdout

    refused = ghostd.run("export", "--out", str(out), "--revoked", "refuse", check=False)
    assert refused.returncode == 9
    assert all(name[:12] in refused.stderr for name in fallen) and "--revoked drop" in refused.stderr
    assert read_manifest(out).crystals == len(before), "a refusal leaves the folder as it was"

    assert exported(ghostd, out) == before - fallen
    (leaf,) = execute(
        database_url, "SELECT leaf_hash FROM ledger WHERE kind = 'revocation' ORDER BY leaf_index DESC LIMIT 1"
    )[0]
    manifest = read_manifest(out)
    assert (manifest.revocations.count, manifest.revocations.head) == (len(fallen), bytes(leaf).hex())
    assert exported(ghostd, out, "--revoked", "refuse") == before - fallen, "the last export holds none any more"
    states = [one["state"] for one in json.loads(ghostd.run("datasets", "--json").stdout) if one["path"] == str(out)]
    assert states == ["current", "current", "replaced"]


@pytest.mark.parametrize(
    ("arguments", "code", "remedy"),
    [
        (("revoke", "0" * 64, "--reason", "wrong"), 6, "ghostd search"),
        (("revoke", "0" * 64, "--reason", "  "), 2, "--reason TEXT"),
        (("export", "--revoked", "keep"), 2, "drop or refuse"),
    ],
)
def test_bad_input_names_its_remedy(
    database_url: URL, tmp_path: Path, arguments: tuple[str, ...], code: int, remedy: str
) -> None:
    address = database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    done = Ghostd(tmp_path / "data", GHOSTD_DATABASE__URL=address).run(*arguments, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert remedy in done.stderr


def only(folder: Path, pattern: str) -> str:
    """The text of the one file that fits."""
    (found,) = folder.glob(pattern)
    return found.read_text()


async def test_the_newest_version_survives_though_it_holds_fewer_crystals(store: PostgresStore, tmp_path: Path) -> None:
    await populate(store)
    versions = DatasetVersions(store, store, tmp_path, ExportConfig(formats=("jsonl",)))
    for _ in range(2):
        await versions.write_version(keep=1)  # the same twice: one folder
    await store.revoke(crystal(0).id, REASON)
    await versions.write_version(keep=1)
    manifest = Manifest.model_validate_json(only(tmp_path, "*/manifest.json"))
    assert manifest.crystals == 3
    recorded = [(one.crystals, one.revoked, one.dropped) for one in await store.dataset_versions()][:3]
    assert recorded == [(3, 0, False), (8, 5, True), (8, 5, True)]


async def test_what_was_audited_can_be_exported_by_that_grade(store: PostgresStore, tmp_path: Path) -> None:
    await populate(store)
    held = {crystal(number).id for number in set(range(CRYSTALS)) - {*WRONG, 5}}
    stored_so = {one.id async for one in store.crystals() if one.grade is Grade.AUDITED}
    every = {one.id async for one in store.crystals()}
    assert held - stored_so and every - held - stored_so, "some by their replay alone, some not at all"
    versions = DatasetVersions(store, store, tmp_path, ExportConfig(formats=("jsonl",), min_grade=Grade.AUDITED))
    await versions.write_version(keep=1)
    listing = only(tmp_path, "*/crystals.jsonl").splitlines()
    assert {json.loads(line)["id"] for line in listing} == held | stored_so
