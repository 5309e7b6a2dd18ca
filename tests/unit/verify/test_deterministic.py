"""The shared replay: when a batch leaves, and that neither a dead cell nor a disagreement there decides anything."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from ghostd.core.attestation import result_hash
from ghostd.core.evidence import CallOutcome, ExitClass, Outcome, Place, Run
from ghostd.errors import SandboxUnavailable
from ghostd.verify.deterministic import ELSEWHERE, FIRST, ReplayBatch, Replayed, agrees, in_cell_variations


class ScriptedSandbox:
    """Answers a run with its code as the value; cells whose number is in `dead` die, in `lying` answer otherwise."""

    backend, image_id = "scripted", ""

    def __init__(self, dead: Sequence[int] = (), lying: Sequence[int] = (), tainted: Sequence[int] = ()) -> None:
        self.dead, self.lying, self.tainted = dead, lying, tainted
        self.cells: list[list[str]] = []

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    @asynccontextmanager
    async def cell(self) -> AsyncIterator["ScriptedCell"]:
        self.cells.append([])
        yield ScriptedCell(self, len(self.cells) - 1)


class ScriptedCell:
    def __init__(self, sandbox: ScriptedSandbox, number: int) -> None:
        self._sandbox, self._number = sandbox, number
        self.place = Place("scripted", "", "", f"cell-{number}")

    async def run(self, runs: Sequence[Run]) -> list[Outcome]:
        await asyncio.sleep(0)
        self._sandbox.cells[self._number].extend(run.code for run in runs)
        if self._number in self._sandbox.dead:
            raise SandboxUnavailable
        suffix = "!" if self._number in self._sandbox.lying else ""
        taints = ("clock",) if self._number in self._sandbox.tainted else ()
        return [Outcome(ExitClass.OK, (CallOutcome(run.code + suffix),), taints=taints) for run in runs]


async def replay(batch: ReplayBatch, code: str) -> Replayed:
    """One run of a lesson whose code is its value."""
    lesson = batch.enter()
    await asyncio.sleep(0)  # the others enter meanwhile, as they do while their cells run
    try:
        expected = result_hash(Outcome(ExitClass.OK, (CallOutcome(code),)))
        (replayed,) = await batch.replay(lesson, [Run(code, "f")], lambda outcomes: agrees(outcomes[0], expected))
        return replayed
    finally:
        batch.leave(lesson)


async def test_a_batch_leaves_as_soon_as_every_climbing_lesson_waits_for_it() -> None:
    sandbox = ScriptedSandbox()
    batch = ReplayBatch(sandbox, lessons=8, seconds=3600)
    await asyncio.wait_for(asyncio.gather(*(replay(batch, code) for code in "abc")), 5)
    assert sandbox.cells == [["a", "b", "c"]]


async def test_a_lesson_that_gives_up_no_longer_holds_the_batch() -> None:
    sandbox = ScriptedSandbox()
    batch = ReplayBatch(sandbox, lessons=8, seconds=3600)
    rejected = batch.enter()
    waiting = asyncio.create_task(replay(batch, "a"))
    await asyncio.sleep(0.01)
    assert sandbox.cells == []
    batch.leave(rejected)
    await asyncio.wait_for(waiting, 5)
    assert sandbox.cells == [["a"]]


async def test_a_full_batch_does_not_wait_for_those_who_still_climb() -> None:
    sandbox = ScriptedSandbox()
    batch = ReplayBatch(sandbox, lessons=2, seconds=3600)
    batch.enter()
    await asyncio.wait_for(asyncio.gather(*(replay(batch, code) for code in "abcd")), 5)
    assert [len(cell) for cell in sandbox.cells] == [2, 2]


async def test_the_first_waiter_does_not_wait_longer_than_the_set_time() -> None:
    sandbox = ScriptedSandbox()
    batch = ReplayBatch(sandbox, lessons=8, seconds=0.01)
    batch.enter()
    await asyncio.wait_for(replay(batch, "a"), 5)
    assert sandbox.cells == [["a"]]


async def test_a_disagreement_in_company_is_settled_alone() -> None:
    sandbox = ScriptedSandbox(lying=[0])
    batch = ReplayBatch(sandbox, lessons=2, seconds=3600)
    found = await asyncio.gather(replay(batch, "a"), replay(batch, "b"))
    assert [one.outcome.calls[0].value for one in found] == ["a", "b"]
    assert sorted(map(len, sandbox.cells)) == [1, 1, 2]
    assert {one.place.cell_id for one in found} == {"cell-1", "cell-2"}


async def test_a_taint_in_company_is_settled_alone_too() -> None:
    sandbox = ScriptedSandbox(tainted=[0])
    batch = ReplayBatch(sandbox, lessons=1, seconds=3600)
    assert (await replay(batch, "a")).outcome.taints == ()


async def test_a_neighbour_that_kills_the_shared_cell_costs_the_others_only_time() -> None:
    sandbox = ScriptedSandbox(dead=[0])
    batch = ReplayBatch(sandbox, lessons=2, seconds=3600)
    found = await asyncio.gather(replay(batch, "hostile"), replay(batch, "honest"))
    assert [one.outcome.calls[0].value for one in found] == ["hostile", "honest"]


async def test_a_real_outage_reaches_the_caller_as_an_exception() -> None:
    batch = ReplayBatch(ScriptedSandbox(dead=[0, 1]), lessons=1, seconds=3600)
    with pytest.raises(SandboxUnavailable):
        await replay(batch, "a")


async def test_a_cancelled_lesson_does_not_disturb_its_batch() -> None:
    sandbox = ScriptedSandbox()
    batch = ReplayBatch(sandbox, lessons=8, seconds=3600)
    blocker = batch.enter()
    first, second = (asyncio.create_task(replay(batch, code)) for code in "ab")
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0.01)
    batch.leave(blocker)
    assert (await asyncio.wait_for(second, 5)).outcome.calls[0].value == "b"
    assert sandbox.cells == [["b"]]


async def test_closing_waits_for_the_batches_on_their_way() -> None:
    sandbox = ScriptedSandbox()
    batch = ReplayBatch(sandbox, lessons=8, seconds=3600)
    batch.enter()
    waiting = asyncio.create_task(replay(batch, "a"))
    await asyncio.sleep(0.01)
    await batch.close()
    assert (await waiting).outcome.ok


async def test_all_runs_of_a_lesson_are_settled_alone_when_one_disagrees() -> None:
    sandbox = ScriptedSandbox(lying=[0])
    batch = ReplayBatch(sandbox, lessons=1, seconds=3600)
    lesson = batch.enter()
    expected = result_hash(Outcome(ExitClass.OK, (CallOutcome("a"),)))
    found = await batch.replay(lesson, [Run("a", "f")] * 3, lambda seen: all(agrees(one, expected) for one in seen))
    assert sandbox.cells == [["a"] * 3, ["a"] * 3]
    assert {one.place.cell_id for one in found} == {"cell-1"}


def test_the_replays_cover_three_hash_seeds_two_clocks_other_names_and_a_plain_repetition_in_both_places() -> None:
    own = in_cell_variations(5)
    assert len(own) + len(ELSEWHERE) == 5
    assert own[0] == ELSEWHERE[0] == FIRST
    assert {one.hash_seed for one in (*own, *ELSEWHERE)} == {0, 1, 2}
    assert len({one.start_time for one in (*own, *ELSEWHERE)}) == 3
    assert len({one.workspace for one in (*own, *ELSEWHERE)}) == 2
    assert len(in_cell_variations(9)) == 6
