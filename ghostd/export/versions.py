"""Dataset versions under the data directory, recorded in the store; implements ports.Datasets."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ghostd.export.config import ExportConfig
from ghostd.export.dataset import ExportReport, ExportRequest, write_dataset
from ghostd.export.manifest import MANIFEST
from ghostd.ports import Store


class DatasetRecords(Protocol):
    """Where written versions are remembered."""

    async def crystals_since_last_dataset(self) -> int:
        """Crystals stored after the newest dataset."""
        ...

    async def record_dataset(self, path: str, root: str, crystals: int, document: dict[str, object]) -> int:
        """Remember a dataset; its row's id."""
        ...


@dataclass(frozen=True, slots=True)
class DatasetVersions:
    """Writes each version to a folder of its own, named by its number of crystals and its Merkle root."""

    store: Store
    records: DatasetRecords
    folder: Path
    config: ExportConfig

    async def crystals_since_last(self) -> int:
        """Crystals stored after the newest recorded version."""
        return await self.records.crystals_since_last_dataset()

    async def write_version(self, keep: int) -> dict[str, int]:
        """Write and record a version, drop all but the newest `keep` from disk. Raises ExportError."""
        aside = self.folder / "next"
        report = await write_dataset(self.store.crystals(self.config.min_grade), self.request(aside))
        version = self.folder / f"{report.crystals:08d}-{report.root[:12]}"
        if version.exists():
            shutil.rmtree(aside)
        else:
            aside.rename(version)
        await record(self.records, report, version)
        self._drop_old(keep)
        return {"crystals": report.crystals, "rows": rows_of(report)}

    def request(self, out: Path) -> ExportRequest:
        """What the settings ask for."""
        config = self.config
        return ExportRequest(
            out,
            formats=config.formats,
            min_grade=config.min_grade,
            seed=config.seed,
            include_unverified_claims=config.include_unverified_claims,
            licence=config.licence,
        )

    def _drop_old(self, keep: int) -> None:
        versions = sorted(path.parent for path in self.folder.glob(f"[0-9]*/{MANIFEST}"))
        for old in versions[:-keep]:
            shutil.rmtree(old)


def rows_of(report: ExportReport) -> int:
    """All rows, over splits and kinds."""
    return sum(sum(kinds.values()) for kinds in report.rows.values())


async def record(records: DatasetRecords, report: ExportReport, path: Path) -> int:
    """Remember a written dataset."""
    document: dict[str, object] = {
        "rows": report.rows,
        "files": [{"path": one.path, "sha256": one.sha256} for one in report.files],
    }
    return await records.record_dataset(str(path), report.root, report.crystals, document)
