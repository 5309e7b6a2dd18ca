"""Group commit: items that arrive while a batch is being written go together in the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Runs `write` on lists of items, one list at a time; each item's future gets its own result.

    An error goes to everybody in the batch, except that after one of class `alone` each item is tried by itself.
    """

    def __init__(
        self,
        write: Callable[[list[Item]], Awaitable[Sequence[Result]]],
        *,
        alone: type[Exception] | tuple[()] = (),
        largest: int = 512,
    ) -> None:
        self._write = write
        self._alone = alone
        self._largest = largest
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._writer: asyncio.Task[None] | None = None

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """The item's result, once its batch is written. Cancelling the future does not take the item back."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._run())
        return future

    async def drain(self) -> None:
        """Wait until everything submitted so far is written."""
        while self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer])

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # whoever is ready in this turn of the loop joins
            batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
            if not await self._attempt(batch):
                for one in batch:
                    await self._attempt([one])

    async def _attempt(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> bool:
        """Write a batch and hand out its results; False when its items are to be tried alone."""
        try:
            results = await self._write([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 - whoever waits for the item raises it
            if len(batch) > 1 and isinstance(error, self._alone):
                return False
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return True
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
        return True
