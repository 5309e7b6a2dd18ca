"""A call store on one append-only file, for the kill benchmark alone: the product keeps its calls in Postgres."""

import asyncio
import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

from ghostd.core.budget import Reservation, Settlement
from ghostd.teacher.ledger import MemoryCallStore


class FileCallStore(MemoryCallStore):
    """A `MemoryCallStore` whose calls are on disk (fsync) before it answers, and that reads them again at start."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("a+b")
        self._file.seek(0)
        self._replayed = self._file.read().splitlines()

    async def replay(self) -> None:
        """Take up what an earlier process left; a line cut short by its death is ignored."""
        for line in self._replayed:
            try:
                kind, *fields = json.loads(line)
            except ValueError:
                continue
            if kind == "reserve":
                await super().reserve([Reservation(*fields)])
            else:
                await super().settle([Settlement(*fields)])

    async def reserve(self, calls: Sequence[Reservation]) -> list[int]:
        """See `CallStore.reserve`."""
        ids = await super().reserve(calls)
        await self._append([["reserve", *dataclasses.astuple(call)] for call in calls])
        return ids

    async def settle(self, results: Sequence[Settlement]) -> None:
        """See `CallStore.settle`."""
        await super().settle(results)
        await self._append([["settle", *dataclasses.astuple(result)] for result in results])

    async def _append(self, rows: list[list[object]]) -> None:
        self._file.write("".join(json.dumps(row) + "\n" for row in rows).encode())
        self._file.flush()
        await asyncio.to_thread(os.fsync, self._file.fileno())
