"""Export: writes a dataset version when enough is new."""

from dataclasses import dataclass

from ghostd.cycles.config import VersionsConfig
from ghostd.cycles.run import journalled
from ghostd.log import logger
from ghostd.ports import Datasets, Journal

_log = logger("export")


@dataclass(frozen=True, slots=True)
class Export:
    """Writes versions under the data directory, the newest few of which are kept."""

    datasets: Datasets
    journal: Journal
    config: VersionsConfig

    async def export_if_due(self) -> dict[str, int]:
        """Write a version if `every_crystals` crystals are new since the last one; its counts, else empty."""
        fresh = await self.datasets.crystals_since_last()
        if fresh < self.config.every_crystals:
            return {}
        async with journalled(self.journal, "export", f"{fresh} crystals since the last version") as run:
            counts = await self.datasets.write_version(self.config.keep)
            await self.journal.finish_run(run, "ok", counts, "a version was written")
        _log.info("dataset.written", **counts)
        return counts
