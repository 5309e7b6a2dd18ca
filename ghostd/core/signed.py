"""What the ledger's key signs: tree heads and datasets, as canonical text; it checks signatures and keeps no key.

Signatures are Ed25519 (RFC 8032), which is deterministic: the same statement and key give the same bytes. The first
line of a statement names its kind, so that a signature over one kind never passes for another.
"""

import hashlib
from dataclasses import dataclass


def key_id(public_key: bytes) -> str:
    """SHA-256 of the raw 32-byte public key, hex: names a key as a LogID does in RFC 6962, section 3.2."""
    return hashlib.sha256(public_key).hexdigest()


def is_signed(public_key: bytes, signature: bytes, statement: str) -> bool:
    """Whether the signature over the statement was made with the private half of `public_key`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, statement.encode())
    except (InvalidSignature, ValueError):  # ValueError: not 32 bytes
        return False
    return True


@dataclass(frozen=True, slots=True)
class TreeHead:
    """The state of the ledger at one size, after the TreeHeadSignature of RFC 6962, section 3.5."""

    size: int  # leaves
    root: bytes  # Merkle tree hash over them
    timestamp: int  # milliseconds since the epoch, never before that of an earlier head
    key_id: str  # of the key that signs

    @property
    def statement(self) -> str:
        """The text that is signed; RFC 6962 has a binary structure of the same fields."""
        return (
            f"ghostd ledger head v1\nsize {self.size}\nroot {self.root.hex()}\n"
            f"timestamp {self.timestamp}\nkey {self.key_id}\n"
        )


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A tree head with its signature and what checks it."""

    head: TreeHead
    public_key: bytes  # 32 bytes
    signature: bytes  # 64 bytes

    @property
    def holds(self) -> bool:
        """Whether the signature is that of the key, and the key the one that the head names."""
        return key_id(self.public_key) == self.head.key_id and is_signed(
            self.public_key, self.signature, self.head.statement
        )


@dataclass(frozen=True, slots=True)
class DatasetStatement:
    """What is signed of a dataset, so that nothing can be left out of it together with its manifest."""

    manifest: str  # SHA-256 of manifest.json, hex
    crystals: int
    root: str  # Merkle root over the crystals, hex

    @property
    def statement(self) -> str:
        """The text that is signed."""
        return f"ghostd dataset v1\nmanifest {self.manifest}\ncrystals {self.crystals}\nroot {self.root}\n"
