"""Replays: which variations a deterministic program must not notice, in its own cell and in another container.

The reason that several lessons share that other container, and why it is safe, is in README.md.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ghostd.core.attestation import result_hash
from ghostd.core.evidence import Outcome, Place, Run, Variation
from ghostd.errors import GhostdError, SandboxUnavailable
from ghostd.ports import Sandbox

FIRST = Variation()
# One factor at a time, so that a difference names its cause. An interpreter has one hash seed, and starting one costs
# as much as a dozen runs: other seeds are tried elsewhere, where several lessons share the interpreters.
_IN_CELL = (FIRST, Variation(start_time=1_900_000_123.5), Variation(workspace="elsewhere"))
ELSEWHERE = (FIRST, Variation(hash_seed=1), Variation(hash_seed=2, start_time=1_555_555_555.5, workspace="other"))


def in_cell_variations(replays: int) -> tuple[Variation, ...]:
    """Those of `replays` variations that are tried in the lesson's own cell; beyond three, they come round again."""
    count = max(1, replays - len(ELSEWHERE))
    return tuple(_IN_CELL[position % len(_IN_CELL)] for position in range(count))


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay, and where."""

    outcome: Outcome
    place: Place


@dataclass(frozen=True, slots=True)
class _Waiter:
    runs: Sequence[Run]
    future: "asyncio.Future[list[Replayed] | None]"  # None: the shared cell died, which says nothing about these runs
    lesson: object


def agrees(outcome: Outcome, expected: str) -> bool:
    """Whether a replay gave the result that was hashed earlier, and touched no source of non-determinism."""
    return result_hash(outcome) == expected and not outcome.taints


class ReplayBatch:
    """Gathers the lessons that survived so far and replays them in one fresh cell, each run in forks of its own.

    Agreement is taken; a disagreement, or a cell that died, is settled alone in a fresh cell. A batch leaves
    when it is full, when every lesson still climbing waits for it, or when its first member has waited
    `seconds`. Everything runs on one event loop.
    """

    def __init__(self, sandbox: Sandbox, lessons: int, seconds: float) -> None:
        self._sandbox = sandbox
        self._lessons = lessons
        self._seconds = seconds
        self._climbing: set[object] = set()
        self._waiting: list[_Waiter] = []
        self._timer: asyncio.TimerHandle | None = None
        self._batches: set[asyncio.Task[None]] = set()

    def enter(self) -> object:
        """A lesson starts to climb and may ask for a replay; hand the token to `replay` and `leave`."""
        lesson = object()
        self._climbing.add(lesson)
        return lesson

    def leave(self, lesson: object) -> None:
        """The lesson will not ask any more."""
        self._climbing.discard(lesson)
        self._leave_when_due()

    async def replay(
        self, lesson: object, runs: Sequence[Run], believed: Callable[[Sequence[Outcome]], bool]
    ) -> list[Replayed]:
        """Make the runs in another container. `believed` says whether their outcomes are those that earlier runs,
        in a cell of the lesson's own, make one expect; if not, they are made again without neighbours.

        Raises SandboxUnavailable when no cell could make them, not even one of their own.
        """
        waiter = _Waiter(runs, asyncio.get_running_loop().create_future(), lesson)
        self._waiting.append(waiter)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._depart)
        self._leave_when_due()
        shared = await waiter.future
        if shared is not None and believed([one.outcome for one in shared]):
            return shared
        async with self._sandbox.cell() as cell:
            return [Replayed(outcome, cell.place) for outcome in await cell.run(runs)]

    async def close(self) -> None:
        """Wait for the batches on their way."""
        self._depart()
        await asyncio.gather(*self._batches)

    def _leave_when_due(self) -> None:
        if self._waiting and len(self._waiting) >= min(self._lessons, len(self._climbing)):
            self._depart()

    def _depart(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        self._climbing.difference_update(waiter.lesson for waiter in batch)
        task = asyncio.get_running_loop().create_task(self._run(batch))
        self._batches.add(task)
        task.add_done_callback(self._batches.discard)

    async def _run(self, batch: list[_Waiter]) -> None:
        wanted = [waiter for waiter in batch if not waiter.future.done()]
        found: list[list[Replayed] | None] = [None] * len(wanted)
        try:
            async with self._sandbox.cell() as cell:
                outcomes = iter(await cell.run([run for waiter in wanted for run in waiter.runs]))
                found = [[Replayed(next(outcomes), cell.place) for _ in waiter.runs] for waiter in wanted]
        except SandboxUnavailable:
            pass  # each is run alone; a real outage shows there
        except GhostdError as error:
            for waiter in wanted:
                if not waiter.future.done():
                    waiter.future.set_exception(error)
        finally:
            for waiter, replayed in zip(wanted, found, strict=True):
                if not waiter.future.done():
                    waiter.future.set_result(replayed)
