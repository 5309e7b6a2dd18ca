"""What a dataset says about itself: `manifest.json` and the lines of `crystals.jsonl`; it reads no data file."""

import json
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ghostd.core.ledger import leaf_hash
from ghostd.core.split import Split
from ghostd.errors import ExportError

MANIFEST = "manifest.json"
CRYSTALS = "crystals.jsonl"
CARD = "README.md"
FORMAT_VERSION: Final = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRecord(_Record):
    """One file of the dataset."""

    path: str = Field(pattern=r"^[a-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$|^README\.md$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)  # bytes
    rows: int = Field(ge=0)  # rows, documents or lines, whatever the file holds; 0 for the card


class CrystalRecord(_Record):
    """One line of `crystals.jsonl`: which crystal is in the dataset, and where."""

    id: str
    verification_hash: str
    lineage: str
    split: Split
    grade: str
    rows_hash: str  # SHA-256 of the crystal's rows, each as its line of JSONL

    def leaf(self) -> bytes:
        """The crystal's leaf in the Merkle tree: over "id verification_hash" in ASCII (RFC 6962 hashing)."""
        return leaf_hash(f"{self.id} {self.verification_hash}".encode())


class Choices(_Record):
    """What was asked for; with the same crystals it gives the same bytes."""

    formats: tuple[str, ...]
    min_grade: str
    domain: str
    seed: int
    include_unverified_claims: bool
    licence: str


class Revocations(_Record):
    """What was known to be revoked when the export began; none of it is in the dataset."""

    count: int = Field(ge=0, default=0)
    head: str = Field(pattern=r"^([0-9a-f]{64})?$", default="")  # leaf hash of the newest in the ledger; '' for none


class Manifest(_Record):
    """The last file to be written: a folder that has it is whole."""

    format: Literal["ghostd-dataset"] = "ghostd-dataset"
    format_version: Literal[1] = FORMAT_VERSION
    ghostd_version: str
    root: str = Field(pattern=r"^[0-9a-f]{64}$")  # Merkle root over the leaves of crystals.jsonl, in its order
    crystals: int = Field(ge=1)
    choices: Choices
    revocations: Revocations = Revocations()
    rows: dict[str, dict[str, int]]  # split -> kind -> rows
    splits: dict[str, Split]  # of every lineage
    files: tuple[FileRecord, ...]  # all but this one, by path

    def encode(self) -> str:
        """The text of `manifest.json`: keys sorted, no time in it."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a dataset folder. Raises ExportError when there is none or it is not one of ours."""
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ExportError(
            f"{folder} holds no {MANIFEST}, so it is not a whole ghostd dataset; export it anew."
        ) from error
    except OSError as error:
        raise ExportError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the whole"
        raise ExportError(f"{path} is not a ghostd manifest: {where}: {problem['msg']}.") from error
