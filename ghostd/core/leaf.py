"""What a leaf of the ledger says: the text that is hashed for a crystal or a revocation; pure, it appends nothing."""

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from ghostd.core.canonical import digest
from ghostd.core.crystal import Crystal

RECORD_SCHEMA = "ghostd.record/1"


def crystal_entry(crystal: Crystal) -> str:
    """`crystal <id> <verification hash> <record hash>`: nothing of the crystal can change without changing this."""
    return f"crystal {crystal.id} {crystal.verification_hash} {record_hash(crystal)}"


def revocation_entry(crystal_id: str, reason: str) -> str:
    """`revocation <id> <SHA-256 of the reason>`."""
    return f"revocation {crystal_id} {digest(reason)}"


def record_hash(crystal: Crystal) -> str:
    """SHA-256 over every field: also those that neither the id nor the verification hash covers, such as the teacher's
    name, its licence, the quality, the time, the exam and the independent solution.

    Fields that have their default are left out, so a field that a later version adds changes no old record.
    """
    return digest([RECORD_SCHEMA, _plain(crystal)])


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {
            field.name: _plain(content)
            for field in fields(value)
            if (content := getattr(value, field.name)) != field.default
        }
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Enum):
        return value.name
    return value.hex() if isinstance(value, float) else value
