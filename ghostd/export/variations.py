"""The variations of crystals in a dataset: `variations.jsonl`, which a student's questions are checked by; no rows."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from ghostd.core.crystal import Crystal, SolvedExercise
from ghostd.core.variation import Answered, form_of, pairs_of, varied

VARIATIONS: Final = "variations.jsonl"

VariationsOf = Callable[[Sequence[str]], Awaitable[Sequence[Answered]]]
"""The variations of crystals with these ids, in the order of their arrival."""


class VariationRecord(BaseModel):
    """One line of `variations.jsonl`: a student's question, and what the crystal's code answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crystal: str
    question: str
    arguments: str
    value: str  # canonical JSON
    run_key: str
    result_hash: str

    @classmethod
    def of(cls, known: Answered) -> "VariationRecord":
        """The record of a variation; how sure the student was is nobody's concern any more."""
        one = known.variation
        return cls(
            crystal=one.crystal_id,
            question=one.question,
            arguments=one.arguments,
            value=known.value,
            run_key=known.run_key,
            result_hash=known.result_hash,
        )

    @property
    def exercise(self) -> SolvedExercise:
        """As the exercises of a crystal are."""
        return SolvedExercise(self.question, self.arguments, self.value)


def by_crystal(known: Sequence[Answered]) -> dict[str, list[VariationRecord]]:
    """The records of each crystal, in their order."""
    found: dict[str, list[VariationRecord]] = defaultdict(list)
    for one in known:
        found[one.variation.crystal_id].append(VariationRecord.of(one))
    return found


def read_variations(folder: Path) -> tuple[dict[str, list[VariationRecord]], list[str]]:
    """The records of each crystal, and what is wrong with the file. A dataset without variations has no such file."""
    found: dict[str, list[VariationRecord]] = defaultdict(list)
    problems: list[str] = []
    if (folder / VARIATIONS).is_file():
        with (folder / VARIATIONS).open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    record = VariationRecord.model_validate_json(line)
                except ValidationError:
                    problems.append(f"{VARIATIONS}: line {number} is not a variation.")
                else:
                    found[record.crystal].append(record)
    return found, problems


def misread(crystal: Crystal, records: Sequence[VariationRecord]) -> Iterator[str]:
    """A sentence for each variation that does not ask what its arguments say, in the words of the crystal."""
    form = form_of(pairs_of(crystal)) if records else None
    for record in records:
        asked = varied(form, record.arguments) if form is not None else None
        if asked is None or asked.question != record.question:
            yield f"has the variation {record.question!r}, which is not its question about {record.arguments}."
