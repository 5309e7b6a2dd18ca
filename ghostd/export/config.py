"""The settings of exports; what one export was asked to do is an `ExportRequest`."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ghostd.core.crystal import Grade
from ghostd.export.writers import FORMATS, FormatName


def _grade(value: Any) -> Any:
    """Accept the word that the command line and the exports use."""
    if isinstance(value, str):
        labels = {grade.label: grade for grade in Grade}
        if value.lower() not in labels:
            raise ValueError(f"choose one of {', '.join(labels)}")
        return labels[value.lower()]
    return value


class ExportConfig(BaseModel):
    """What `ghostd export` does where the command line says nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    formats: tuple[FormatName, ...] = Field(default=tuple(FORMATS), min_length=1)
    """Any of jsonl, parquet and text."""
    min_grade: Annotated[Grade, BeforeValidator(_grade)] = Grade.TESTED
    """The lowest grade that is exported."""
    seed: int = 0
    """Shuffles which lineages are trained on, validated with and tested on."""
    include_unverified_claims: bool = False
    """Add rows that ask about claims without a check and answer that nobody knows; never stated as true."""
    revoked: Literal["drop", "refuse"] = "drop"
    """Revoked crystals are never exported; `refuse` ends `ghostd export` when the folder's last export held some."""
    decontaminate: Path | None = None
    """A folder of benchmark files (jsonl, json, csv, parquet, py, md, txt); crystals that repeat them are left out."""
    licence: str = ""
    """The licence of the dataset, as its card names it; left out, it follows from the teachers' licences."""
    trusted_key: Path | None = None
    """The public key (ledger.pub) that `ghostd audit` expects where --key names none."""
