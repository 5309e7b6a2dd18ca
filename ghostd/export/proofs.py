"""What an export carries so that it can be checked offline: whole crystals, proofs, the signed head and the seal."""

import base64
import json
from dataclasses import asdict
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ghostd.core.crystal import Crystal
from ghostd.core.signed import DatasetStatement, SignedHead, TreeHead

RECORDS = "records.jsonl"  # every crystal whole, as the ledger committed to it
PROOFS = "proofs.jsonl"  # where its leaf stands, and the audit path from there to the head's root
HEAD = "head.json"  # the ledger's signed head and the public key
SEAL = "seal.json"  # the signature over manifest.json; the one file that the manifest does not name

_HEX32 = r"^[0-9a-f]{64}$"
_HEX64 = r"^[0-9a-f]{128}$"


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def encode(self) -> str:
        """The text of the file."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"


class ProofRecord(_Document):
    """One line of `proofs.jsonl`."""

    id: str
    leaf: int = Field(ge=0)  # index in the ledger
    path: str  # the audit path, leaf first: 32 bytes each, base64

    @classmethod
    def of(cls, crystal_id: str, leaf: int, path: list[bytes]) -> "ProofRecord":
        """The record of a proof."""
        return cls(id=crystal_id, leaf=leaf, path=base64.b64encode(b"".join(path)).decode())

    def hashes(self) -> list[bytes]:
        """The audit path. Raises ValueError when it is none."""
        joined = base64.b64decode(self.path, validate=True)
        if len(joined) % 32:
            raise ValueError("not a whole number of hashes")
        return [joined[at : at + 32] for at in range(0, len(joined), 32)]


class HeadDocument(_Document):
    """`head.json`, and what `ghostd ledger head` prints."""

    size: int = Field(ge=1)
    root: str = Field(pattern=_HEX32)
    timestamp: int = Field(ge=0)  # milliseconds since the epoch
    key_id: str = Field(pattern=_HEX32)
    public_key: str = Field(pattern=_HEX32)
    signature: str = Field(pattern=_HEX64)

    @classmethod
    def of(cls, signed: SignedHead) -> "HeadDocument":
        """The document of a head."""
        head = signed.head
        return cls(
            size=head.size,
            root=head.root.hex(),
            timestamp=head.timestamp,
            key_id=head.key_id,
            public_key=signed.public_key.hex(),
            signature=signed.signature.hex(),
        )

    def signed_head(self) -> SignedHead:
        """The inverse of `of`."""
        head = TreeHead(self.size, bytes.fromhex(self.root), self.timestamp, self.key_id)
        return SignedHead(head, bytes.fromhex(self.public_key), bytes.fromhex(self.signature))


class Seal(_Document):
    """`seal.json`."""

    manifest: str = Field(pattern=_HEX32)  # SHA-256 of manifest.json
    crystals: int = Field(ge=1)
    root: str = Field(pattern=_HEX32)  # Merkle root over crystals.jsonl
    public_key: str = Field(pattern=_HEX32)
    signature: str = Field(pattern=_HEX64)

    @property
    def statement(self) -> DatasetStatement:
        """What the signature is over."""
        return DatasetStatement(self.manifest, self.crystals, self.root)


def encode_crystal(crystal: Crystal) -> str:
    """The crystal as one line of JSON, without the line feed."""
    return json.dumps(asdict(crystal), ensure_ascii=False, separators=(",", ":"))


def decode_crystal(line: bytes) -> Crystal:
    """The inverse of `encode_crystal`. Raises pydantic.ValidationError."""
    crystal: Crystal = _crystals().validate_json(line)
    return crystal


@cache
def _crystals() -> TypeAdapter[Any]:
    return TypeAdapter(Crystal)
