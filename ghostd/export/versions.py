"""Dataset versions under the data directory, recorded in the store; implements ports.Datasets."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ghostd.core.reverification import KnownRevocations
from ghostd.core.variation import Answered
from ghostd.errors import ExportError
from ghostd.export.config import ExportConfig
from ghostd.export.dataset import ExportReport, ExportRequest, write_dataset
from ghostd.export.manifest import CRYSTALS, MANIFEST
from ghostd.ports import SignedLog, Store

_NAMED = 10  # revoked crystals in one message


class DatasetRecords(Protocol):
    """Where written versions are remembered."""

    async def crystals_since_last_dataset(self) -> int:
        """Crystals stored after the newest dataset."""
        ...

    async def record_dataset(
        self, path: str, root: str, crystals: int, document: dict[str, object], crystal_ids: Sequence[str]
    ) -> int:
        """Remember a dataset and what is in it; its row's id."""
        ...

    async def revocations_known(self) -> KnownRevocations:
        """How many crystals are revoked by now."""
        ...

    async def variations(self, crystal_ids: Sequence[str]) -> Sequence[Answered]:
        """Questions that students made of these crystals."""
        ...

    async def datasets_dropped(self, paths: Sequence[str]) -> None:
        """Remember that these folders are gone."""
        ...


@dataclass(frozen=True, slots=True)
class DatasetVersions:
    """Writes each version to a folder of its own, named by its number of crystals and its Merkle root."""

    store: Store
    records: DatasetRecords
    folder: Path
    config: ExportConfig
    log: SignedLog | None = None

    async def crystals_since_last(self) -> int:
        """Crystals stored after the newest recorded version."""
        return await self.records.crystals_since_last_dataset()

    async def write_version(self, keep: int) -> dict[str, int]:
        """Write and record a version, drop all but the newest `keep` from disk. Raises ExportError."""
        aside = self.folder / "next"
        request = replace(self.request(aside), revocations=await self.records.revocations_known())
        report = await self._written(request)
        version = self.folder / f"{report.crystals:08d}-{report.root[:12]}"
        if version.exists():
            shutil.rmtree(aside)
            (version / MANIFEST).touch()  # it is the newest again
        else:
            aside.rename(version)
        await record(self.records, report, version)
        await self.records.datasets_dropped([str(old) for old in self._drop_old(keep)])
        return {"crystals": report.crystals, "rows": rows_of(report)}

    async def write_training_set(self, folder: Path) -> int:
        """Write and record the rows that the trainer reads; the dataset's row. Raises ExportError."""
        known = await self.records.revocations_known()
        request = replace(self.request(folder), formats=("jsonl",), revocations=known)
        report = await self._written(request)
        return await record(self.records, report, report.path)

    async def forget(self, folders: Sequence[str]) -> None:
        """Note that the datasets in these folders are gone."""
        await self.records.datasets_dropped(folders)

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
            decontaminate=config.decontaminate,
        )

    async def _written(self, request: ExportRequest) -> ExportReport:
        crystals = self.store.crystals(self.config.min_grade)
        return await write_dataset(crystals, request, self.log, variations=self.records.variations)

    def _drop_old(self, keep: int) -> list[Path]:
        # by age, not by name: after a revocation the newest version may hold fewer crystals than those before it
        manifests = sorted(self.folder.glob(f"[0-9]*/{MANIFEST}"), key=lambda path: (path.stat().st_mtime_ns, path))
        versions = [path.parent for path in manifests]
        for old in versions[:-keep]:
            shutil.rmtree(old)
        return versions[:-keep]


def refuse_revoked(out: Path, revoked: Sequence[tuple[str, str]]) -> None:
    """Raise ExportError that names them when the last export to `out` held crystals that were revoked since.

    `revoked` are their ids with the reasons.
    """
    if revoked:
        named = "; ".join(f"{crystal_id[:12]} ({reason})" for crystal_id, reason in revoked[:_NAMED])
        more = f" and {len(revoked) - _NAMED} more" if len(revoked) > _NAMED else ""
        raise ExportError(
            f"{out} holds {len(revoked)} crystals that were revoked since: {named}{more}. "
            "`--revoked drop` writes it anew without them; `ghostd show` tells more of each."
        )


def rows_of(report: ExportReport) -> int:
    """All rows, over splits and kinds."""
    return sum(sum(kinds.values()) for kinds in report.rows.values())


async def record(records: DatasetRecords, report: ExportReport, path: Path) -> int:
    """Remember a written dataset."""
    document: dict[str, object] = {
        "rows": report.rows,
        "files": [{"path": one.path, "sha256": one.sha256} for one in report.files],
    }
    crystal_ids = await asyncio.to_thread(_crystal_ids, path)
    return await records.record_dataset(str(path), report.root, report.crystals, document, crystal_ids)


def _crystal_ids(folder: Path) -> list[str]:
    with (folder / CRYSTALS).open("rb") as lines:
        return [json.loads(line)["id"] for line in lines]
