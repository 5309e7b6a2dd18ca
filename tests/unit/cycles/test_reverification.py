"""Re-verification: what is replayed and when, second opinions, revocation with descendants, outages and bounds."""

from dataclasses import dataclass, replace

import pytest

from ghostd.core.crystal import Crystal, Verdict, VerdictKind
from ghostd.core.reverification import Decision, Image, Reason
from ghostd.errors import SandboxUnavailable, StoreUnavailable
from ghostd.testing.scripted import ScriptedVerifier
from tests.crystals import crystal
from tests.unit.cycles.evidence import executed
from tests.unit.cycles.world import DAY, IMAGE, World, failed, passed

DOWN = SandboxUnavailable("the engine is away")
DRIFT = failed("audited.drift")
FLAKY = failed("reproducible.clock", VerdictKind.FLAKY)
UNTOLD = failed("tested.unreadable", VerdictKind.INCONCLUSIVE)


def strong(one: Crystal, image: Image = IMAGE) -> Verdict:
    """A verdict that leaves no weakness: many mutants, and evidence from that image."""
    return replace(passed(one), mutants_killed=12, mutants_total=12, evidence=(executed(image),))


@dataclass
class Aged(World):
    """A world whose crystals were stored a given number of days ago."""

    async def aged(self, number: int, days: float, verdict: Verdict | None = None) -> Crystal:
        fresh, attempt = await self.answered(number)
        one = replace(fresh, quality=0.9, created_at=self.clock.now() - days * DAY)
        assert await self.store.crystallise(attempt.id, one, verdict or strong(one))
        return one


async def test_only_old_crystals_are_replayed_and_not_twice() -> None:
    world = Aged(verifier=ScriptedVerifier(replays=[strong(crystal(0))]))
    older, old, _ = [await world.aged(number, days) for number, days in ((0, 9), (1, 8), (2, 6))]
    assert await world.reverification.reverify() == {"replayed": 2, "revoked": 0, "postponed": 0}
    assert world.verifier.replayed == [older.id, old.id]
    assert await world.reverification.reverify() == {}
    world.clock.seconds += 7 * DAY
    assert (await world.reverification.reverify())["replayed"] == 3
    assert [run.status for run in world.store.runs.values()] == ["ok", "ok"]


async def test_a_weak_crystal_is_due_sooner() -> None:
    world = Aged(verifier=ScriptedVerifier(replays=[strong(crystal(0))]))
    weak = await world.aged(0, 3, passed(crystal(0)))  # no mutant was tried
    await world.aged(1, 3)
    await world.reverification.reverify()
    assert world.verifier.replayed == [weak.id]
    (((judgement, due),),) = world.store.judgements.values()
    assert (judgement.decision, due and due.reasons) == (Decision.HELD, (Reason.MUTANTS,))


async def test_a_new_image_makes_everything_due_once() -> None:
    world = Aged(verifier=ScriptedVerifier(replays=[strong(crystal(0))]))
    elsewhere = strong(crystal(0), Image("docker", "sha256:0000", "abcd"))
    moved = await world.aged(0, 0.1, elsewhere)
    await world.aged(1, 0.1)
    assert (await world.reverification.reverify())["replayed"] == 1
    assert world.verifier.replayed == [moved.id]
    assert await world.reverification.reverify() == {}


async def test_two_failed_replays_revoke_with_the_reason_and_what_is_made_of_it() -> None:
    world = Aged(verifier=ScriptedVerifier(replays=[DRIFT, DRIFT, strong(crystal(1))]))
    first, second = await world.aged(0, 9), await world.aged(1, 8)
    child = await world.aged(2, 1)
    await world.store.record_lineage(child.id, [first.id], "dream")
    assert await world.reverification.reverify() == {"replayed": 2, "revoked": 2, "postponed": 0}
    assert {name: one.reason for name, one in world.store.revoked.items()} == {
        first.id: "audited.drift",
        child.id: f"made of {first.id}, which was revoked: audited.drift",
    }
    assert {one.revoked_by for one in world.store.revoked.values()} == {"reverification"}
    assert [one.id async for one in world.store.crystals()] == [second.id]
    assert (world.state(first), world.state(child)) == ("open", "open")


async def test_a_sibling_of_what_failed_is_replayed_next() -> None:
    world = Aged(verifier=ScriptedVerifier(replays=[DRIFT, DRIFT, strong(crystal(0))]))
    one, sibling, stranger = [await world.aged(number, days) for number, days in ((0, 9), (15, 1), (2, 1))]
    assert (one.concept.lineage, one.teacher) == (sibling.concept.lineage, sibling.teacher)
    await world.reverification.reverify()
    await world.reverification.reverify()
    assert world.verifier.replayed == [one.id, one.id, sibling.id]
    assert await world.reverification.reverify() == {}, "it was checked since"
    assert stranger.id not in world.verifier.replayed


@pytest.mark.parametrize("first", [DRIFT, FLAKY, UNTOLD])
async def test_a_replay_that_fails_once_and_then_holds_revokes_nothing(first: Verdict) -> None:
    world = Aged(verifier=ScriptedVerifier(replays=[first, strong(crystal(0))]))
    one = await world.aged(0, 9)
    assert await world.reverification.reverify() == {"replayed": 1, "revoked": 0, "postponed": 0}
    assert world.verifier.replayed == [one.id, one.id]
    assert world.store.revoked == {}
    ((judgement, _),) = world.store.judgements[one.id]
    assert first.failure is not None
    assert judgement.reason == f"{first.failure.reason} at first, then it held"


async def test_what_cannot_be_told_twice_stands_and_is_not_due_at_once() -> None:
    world = Aged(verifier=ScriptedVerifier(replays=[UNTOLD]))
    await world.aged(0, 9)
    assert (await world.reverification.reverify())["revoked"] == 0
    assert await world.reverification.reverify() == {}


async def test_a_failure_that_was_only_noted_is_looked_at_first() -> None:
    world = Aged(verifier=ScriptedVerifier(replays=[strong(crystal(0))]))
    doubted, _ = await world.aged(0, 1), await world.aged(1, 9)
    assert await world.store.record_reverification(doubted.id, DRIFT) == ()
    await world.reverification.reverify()
    assert world.verifier.replayed[0] == doubted.id


async def test_a_run_is_bounded_in_crystals_and_in_time() -> None:
    world = Aged(verifier=ScriptedVerifier(replays=[strong(crystal(0))]))
    for number in range(5):
        await world.aged(number, 9)
    assert (await world.reverification.reverify())["replayed"] == 3, "the batch"
    slow = replace(world.reverification, verifier=_Slow(world))
    assert (await slow.reverify())["replayed"] == 1, "the second begins too late"


class _Slow:
    """A verifier that takes longer than a run may."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def replay(self, crystal: Crystal) -> Verdict:
        self._world.clock.seconds += 61
        return strong(crystal)


async def test_a_crystal_that_breaks_its_cell_does_not_keep_the_others_from_their_replay() -> None:
    world = Aged(verifier=ScriptedVerifier(replays=[DOWN, strong(crystal(1))]))
    broken, sound = [await world.aged(number, 9) for number in range(2)]
    assert await world.reverification.reverify() == {"replayed": 1, "revoked": 0, "postponed": 1}
    assert world.store.revoked == {}
    assert await world.reverification.reverify() == {}, "it waits a day"
    world.clock.seconds += DAY
    assert await world.reverification.reverify() == {"replayed": 1, "revoked": 0, "postponed": 0}
    assert world.verifier.replayed == [broken.id, sound.id, broken.id]


@pytest.mark.parametrize("replays", [[DOWN], [DRIFT, DOWN]])
async def test_a_sandbox_that_is_away_closes_the_run_as_failed_and_accuses_nobody(replays: list[object]) -> None:
    world = Aged(verifier=ScriptedVerifier(replays=[*replays, DOWN]))
    for number in range(2):
        await world.aged(number, 9)
    with pytest.raises(SandboxUnavailable):
        await world.reverification.reverify()
    assert [(run.status, run.reason) for run in world.store.runs.values()] == [("failed", "the engine is away")]
    assert (world.store.revoked, world.store.replays) == ({}, {})


async def test_a_database_outage_during_a_replay_is_not_swallowed() -> None:
    world = Aged(verifier=ScriptedVerifier(replays=[StoreUnavailable()]))
    await world.aged(0, 9)
    with pytest.raises(StoreUnavailable):
        await world.reverification.reverify()
