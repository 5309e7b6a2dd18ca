"""Whether a dataset is signed, and by whom; what the signed files say of the rows is checked elsewhere."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ghostd.core.signed import SignedHead, is_signed, key_id
from ghostd.errors import ConfigurationError
from ghostd.export.manifest import MANIFEST, Manifest
from ghostd.export.proofs import HEAD, SEAL, HeadDocument, Seal

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Signatures:
    """What was found."""

    head: SignedHead | None  # None when there is none that can be read
    seal_problems: tuple[str, ...]
    head_problems: tuple[str, ...]
    key_problems: tuple[str, ...]
    signer: str  # key id, '' when nothing is signed


def check_signatures(folder: Path, manifest: Manifest, trusted: bytes | None) -> Signatures:
    """Check seal and head against `trusted`, the public key that the reader knows; None when he knows none."""
    seal, seal_problems = _read(folder / SEAL, Seal)
    head, head_problems = _read(folder / HEAD, HeadDocument)
    keys: list[str] = []
    if seal is not None:
        seal_problems += _seal_problems(folder, manifest, seal)
    signed = head.signed_head() if head is not None else None
    if signed is not None:
        if key_id(signed.public_key) != signed.head.key_id:
            head_problems.append(f"{HEAD}: its key id is not that of its public key.")
        elif not signed.holds:
            head_problems.append(f"{HEAD}: its signature is not over this size, root and timestamp.")
        if seal is not None and seal.public_key != signed.public_key.hex():
            keys.append(f"{SEAL} and {HEAD} name different public keys.")
        if trusted is not None and signed.public_key != trusted:
            keys.append(f"{HEAD}: signed by {signed.head.key_id[:12]}, not by the given key {key_id(trusted)[:12]}.")
    if trusted is not None and seal is not None and seal.public_key != trusted.hex():
        keys.append(f"{SEAL}: the public key is not the given key {key_id(trusted)[:12]}.")
    signer = signed.head.key_id if signed is not None else ""
    return Signatures(signed, tuple(seal_problems), tuple(head_problems), tuple(keys), signer)


def read_public_key(path: Path) -> bytes:
    """The 32 bytes of a public key in PEM, or in the JSON of `ghostd ledger head`. Raises ConfigurationError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        content = path.read_bytes()
        if content.lstrip().startswith(b"{"):
            return bytes.fromhex(HeadDocument.model_validate(json.loads(content)).public_key)
        key = load_pem_public_key(content)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}); name a public key with --key.") from error
    except ValueError as error:
        raise ConfigurationError(
            f"{path} is no public key; give `ledger.pub` of the data directory that signed, or what "
            "`ghostd ledger head` prints there."
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"{path} is not an Ed25519 key; give `ledger.pub` of the data directory that signed.")
    return key.public_bytes_raw()


def _seal_problems(folder: Path, manifest: Manifest, seal: Seal) -> list[str]:
    problems: list[str] = []
    if not is_signed(bytes.fromhex(seal.public_key), bytes.fromhex(seal.signature), seal.statement.statement):
        problems.append(f"{SEAL}: its signature is not that of its public key over its fields.")
    if seal.manifest != hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest():
        problems.append(f"{MANIFEST}: not the one that was signed.")
    if seal.crystals != manifest.crystals:
        problems.append(f"{MANIFEST}: {manifest.crystals} crystals, and {seal.crystals} were signed.")
    if seal.root != manifest.root:
        problems.append(f"{MANIFEST}: its Merkle root {manifest.root[:12]} is not the signed {seal.root[:12]}.")
    return problems


def _read(path: Path, model: type[T]) -> tuple[T | None, list[str]]:
    try:
        return model.model_validate_json(path.read_bytes()), []
    except FileNotFoundError:
        return None, [f"{path.name}: missing, so nobody vouches for this dataset."]
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_url=False)[0]["loc"])) or "the whole"
        return None, [f"{path.name}: not what ghostd writes: {where}."]
