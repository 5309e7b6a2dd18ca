"""The signed ledger on a real Postgres: heads that only grow, a key that is not replaced in silence, and the check that
names whatever was altered behind the store's back.
"""

import pytest

from ghostd.db.heads import Heads
from ghostd.db.ledger_check import LedgerChecks
from ghostd.db.signing_key import PRIVATE, load_or_create
from ghostd.errors import ConfigurationError, LedgerAltered
from ghostd.export.audit import audit_dataset
from ghostd.export.dataset import ExportRequest, write_dataset
from ghostd.testing.scripted import SettableClock
from tests.ledgers import real, verdict_of
from tests.sql import execute

pytest_plugins = ["tests.postgres"]


async def stored(store, numbers):
    """Real crystals by the way that the daemon stores them; gives those that were new."""
    kept = []
    for one in map(real, numbers):
        await store.admit_concepts([one.concept], "test")
        attempt = await store.open_attempt(one.concept, one.teacher)
        await store.record_lesson(attempt.id, one.lesson, one.exam)
        if await store.crystallise(attempt.id, one, verdict_of(one)):
            kept.append(one)
    return kept


async def checked(store):
    return (await LedgerChecks(store.engine).check_ledger()).problems


@pytest.fixture
def heads(store, tmp_path):
    return Heads(store.engine, tmp_path / "data", SettableClock())


async def test_a_head_is_signed_when_the_ledger_grew_and_only_then(store, heads):
    await stored(store, range(5))
    first, _ = await heads.signed_head()
    again, _ = await heads.signed_head()
    assert first == again
    assert first.holds
    kept = await stored(store, range(5, 8))
    second, tree = await heads.signed_head()
    assert second.head.size == first.head.size + len(kept) == tree.size
    assert await checked(store) == []


async def test_an_export_of_the_store_passes_its_audit_offline(store, heads, tmp_path):
    await stored(store, range(8))
    out = tmp_path / "out"
    await write_dataset(store.crystals(), ExportRequest(out), heads)
    (signed, _) = await heads.signed_head()
    assert audit_dataset(out, trusted=signed.public_key).problems == ()


TAMPERINGS = {
    "a crystal's text": (
        "UPDATE crystals SET content = jsonb_set(content, '{lesson,explanation}', '\"Cheese.\"') WHERE id = %s",
        "its content does not give its id",
    ),
    "a crystal's licence": (
        """UPDATE crystals SET content = jsonb_set(content, '{teacher_licence}', '"WTFPL"') WHERE id = %s""",
        "its row is not the one that the ledger committed to",
    ),
    "a column": ("UPDATE crystals SET quality = 0.99 WHERE id = %s", "its column quality differs from its content"),
    "a leaf deleted": ("DELETE FROM ledger WHERE subject = %s AND kind = 'crystal'", "it has no leaf in the ledger"),
    "an entry": ("UPDATE ledger SET entry = entry || '0' WHERE subject = %s", "its hash is not that of its entry"),
    "a crystal deleted": (
        "SET session_replication_role = replica; DELETE FROM crystals WHERE id = '{id}'",
        "the ledger has a leaf of its crystal, the store no row",
    ),
    "evidence": (
        (
            "UPDATE evidence SET result_hash = repeat('0', 64) WHERE attempt_id ="
            " (SELECT attempt_id FROM crystals WHERE id = %s)"
        ),
        "its evidence does not give its verification hash",
    ),
    "a head's root": (
        "UPDATE ledger_heads SET root = decode(repeat('00', 32), 'hex')",
        "its signature is not that of its key",
    ),
    "a head's time": ("UPDATE ledger_heads SET signed_at = 1", "its signature is not that of its key"),
    "a revocation deleted": ("DELETE FROM revocations", "the ledger has a leaf of its revocation, the store no row"),
    "a revocation's reason": ("UPDATE revocations SET reason = 'none'", "the reason of its revocation was changed"),
    "a revocation's leaf": ("DELETE FROM ledger WHERE kind = 'revocation'", "its revocation has no leaf in the ledger"),
}


@pytest.mark.parametrize("kind", TAMPERINGS)
async def test_what_was_altered_in_the_store_is_named(store, database_url, heads, kind):
    kept = await stored(store, range(4))
    await store.revoke(kept[0].id, "it was wrong", "a test")
    await heads.signed_head()
    assert await checked(store) == []
    statement, named = TAMPERINGS[kind]
    victim = kept[1].id
    execute(database_url, statement.replace("{id}", victim), *([victim] if "%s" in statement else []))
    assert named in " ".join(await checked(store))


async def test_no_head_is_signed_over_a_rewritten_history(store, database_url, heads):
    kept = await stored(store, range(4))
    await heads.signed_head()
    execute(
        database_url, "UPDATE ledger SET leaf_hash = decode(repeat('00', 32), 'hex') WHERE subject = %s", kept[1].id
    )
    await stored(store, range(4, 8))
    with pytest.raises(LedgerAltered, match="are not those that were signed; `ghostd ledger check`"):
        await heads.signed_head()


async def test_no_head_is_signed_over_a_log_that_shrank(store, database_url, heads):
    await stored(store, range(4))
    signed, _ = await heads.signed_head()
    execute(database_url, "DELETE FROM ledger WHERE leaf_index = %s", signed.head.size - 1)
    with pytest.raises(LedgerAltered, match="leaves was signed, and the ledger has"):
        await heads.signed_head()


async def test_a_lost_key_is_an_error_with_a_remedy_and_the_remedy_works(store, heads, tmp_path):
    await stored(store, range(3))
    first, _ = await heads.signed_head()
    (tmp_path / "data" / PRIVATE).unlink()
    with pytest.raises(ConfigurationError, match=r"signing key is lost.*`ghostd ledger new-key`"):
        await heads.signed_head()
    second = await heads.new_key()
    assert (second.head.root, second.holds) == (first.head.root, True)
    assert second.head.key_id != first.head.key_id
    assert (await heads.signed_head())[0] == second
    assert await checked(store) == []


def test_a_key_that_is_unreadable_open_to_others_or_another_one_is_refused(tmp_path):
    key = load_or_create(tmp_path, signed_before="")
    path = tmp_path / PRIVATE
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_or_create(tmp_path, signed_before=key.key_id) == key
    assert key.seed.hex() not in repr(key)
    with pytest.raises(ConfigurationError, match="was signed by 000000000000"):
        load_or_create(tmp_path, signed_before="0" * 64)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_or_create(tmp_path, signed_before="")
    path.chmod(0o600)
    path.write_text("no key")
    with pytest.raises(ConfigurationError, match="is no Ed25519 key"):
        load_or_create(tmp_path, signed_before="")
