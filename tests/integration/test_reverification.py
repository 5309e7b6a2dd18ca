"""Re-verification with real cells on a real Postgres: what holds is audited, what drifted is revoked."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from ghostd.app import SystemClock
from ghostd.bundled import cell_version
from ghostd.core.crystal import Grade
from ghostd.core.reverification import Image
from ghostd.cycles.config import ReverificationConfig
from ghostd.cycles.reverification import Reverification
from ghostd.db.store import PostgresStore
from ghostd.ports import Sandbox
from ghostd.verify.config import VerificationConfig
from ghostd.verify.pipeline import Verifier
from tests.crystals import crystal
from tests.integration.test_revocation import verdict
from tests.sql import execute
from tests.unit.verify.cells import EVERY_BACKEND, started

pytest_plugins = ["tests.postgres"]


@pytest.fixture(params=EVERY_BACKEND)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with started(request.param) as one:
        yield one


def reverification(store: PostgresStore, sandbox: Sandbox, verifier: Verifier) -> Reverification:
    image = Image(sandbox.backend, sandbox.image_id, cell_version())
    return Reverification(verifier, store, store, image, SystemClock(), ReverificationConfig())


async def test_what_holds_is_audited_and_what_drifted_is_revoked(store: PostgresStore, sandbox: Sandbox) -> None:
    sound, wrong, child = crystal(0), crystal(1), crystal(2)
    false = dataclasses.replace(wrong.exercises[0], value='{"int":4711}')
    wrong = dataclasses.replace(wrong, exercises=(false, *wrong.exercises[1:]))
    child = dataclasses.replace(child, created_at=0.0)  # now, so that it is not due by age
    for one in (sound, wrong, child):
        await store.admit_concepts([one.concept], "for the test")
        attempt = await store.open_attempt(one.concept, one.teacher)
        await store.record_lesson(attempt.id, one.lesson, one.exam)
        assert await store.crystallise(attempt.id, one, verdict(one))
    await store.record_lineage(child.id, [wrong.id], "dream")
    verifier = Verifier(sandbox, VerificationConfig())
    cycle = reverification(store, sandbox, verifier)

    counts = await cycle.reverify()
    await verifier.close()

    assert (counts["revoked"], counts["postponed"]) == (2, 0)
    fallen, inherited = await store.revocation(wrong.id), await store.revocation(child.id)
    assert fallen is not None and inherited is not None
    assert (fallen.reason, inherited.origin_id) == ("audited.drift", wrong.id)
    assert [one.id async for one in store.crystals(Grade.AUDITED)] == [sound.id]
    (held,), (failed,) = await store.replays_of(sound.id), await store.replays_of(wrong.id)
    assert (held["verdict"], held["decision"], held["reason"]) == ("verified", "held", "it held")
    assert (failed["verdict"], failed["decision"]) == ("refuted", "revoke")
    assert "the sandbox changed" in held["due"], "the evidence that it was stored with is from another image"
    images = execute(
        store.url,
        "SELECT DISTINCT image_id FROM evidence JOIN places ON places.id = place_id WHERE crystal_id = %s",
        sound.id,
    )
    assert images == [(sandbox.image_id,)]
    assert await cycle.reverify() == {}, "nothing is due now, for its image is today's"
