"""Is a ghostd dataset whole and unchanged: every file's size and SHA-256 against manifest.json; it parses no row."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from trainer.errors import DataError

MANIFEST: Final = "manifest.json"
FORMAT: Final = "ghostd-dataset"


def is_dataset(folder: Path) -> bool:
    """Whether the folder says that it is a ghostd dataset."""
    return (folder / MANIFEST).is_file() and _manifest(folder).get("format") == FORMAT


def check_files(folder: Path) -> str:
    """The dataset's Merkle root, once every file is as the manifest says.

    Raises:
        DataError: a file is missing or differs, or the manifest is none.

    """
    manifest = _manifest(folder)
    try:
        for record in manifest["files"]:
            _check_file(folder / record["path"], record["size"], record["sha256"])
        root: str = manifest["root"]
    except (KeyError, TypeError) as error:
        raise DataError(f"{folder / MANIFEST} lacks the field {error}; export the dataset anew.") from error
    return root


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); export the dataset anew.") from error
    return manifest if isinstance(manifest, dict) else {}


def _check_file(path: Path, size: int, sha256: str) -> None:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        actual = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} is in the manifest but cannot be read ({error.strerror}); export anew.") from error
    if (actual, digest) != (size, sha256):
        raise DataError(f"{path} is not what the manifest says it is; export the dataset anew.")
