"""What students made of crystals reaches the dataset, and an audit finds whatever was changed of it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ghostd.core.canonical import encode
from ghostd.core.crystal import Crystal, SolvedExercise
from ghostd.core.identity import crystal_id
from ghostd.core.variation import Answered, Variation
from ghostd.export.audit import audit_dataset
from ghostd.export.dataset import ExportReport, ExportRequest, write_dataset
from ghostd.export.variations import VARIATIONS
from tests.crystals import crystal, crystals, stream

KNOWN = (2, 5, 9)
NEW = (7, 30, 0)


def square() -> Crystal:
    """A crystal whose questions differ in one number."""
    base = crystal(0)
    code = "def square(n: int) -> int:\n    return n * n\n"
    asked = tuple(SolvedExercise(f"What is the square of {n}?", str(n), encode(n * n)) for n in KNOWN)
    concept = replace(base.concept, signature="def square(n: int) -> int")
    lesson = replace(base.lesson, code=code)
    name = crystal_id(concept, lesson, base.claims, asked)
    return replace(base, id=name, concept=concept, lesson=lesson, exercises=asked)


def variations_of(crystal: Crystal) -> list[Answered]:
    return [
        Answered(
            Variation(crystal.id, crystal.concept.lineage, f"What is the square of {n}?", str(n)),
            encode(n * n),
            "a" * 64,
            "b" * 64,
            -0.5,
            answered=False,
        )
        for n in NEW
    ]


async def write(out: Path) -> ExportReport:
    chosen = square()

    async def told(ids: Sequence[str]) -> list[Answered]:
        return variations_of(chosen) if chosen.id in ids else []

    everything = sorted([*crystals(20), chosen], key=lambda one: one.id)
    return await write_dataset(stream(everything), ExportRequest(out), variations=told)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    asyncio.run(write(tmp_path / "out"))
    return tmp_path / "out"


async def test_a_variation_is_a_row_in_the_split_of_its_crystal(tmp_path: Path) -> None:
    report = await write(tmp_path / "out")
    rows = [
        json.loads(line)
        for path in sorted((tmp_path / "out/jsonl").iterdir())
        for line in path.read_text().splitlines()
    ]
    ours = [row for row in rows if row["crystal"] == square().id]
    varied = [row for row in ours if row["kind"] == "variation"]
    assert [row["answer"] for row in varied] == [str(n * n) for n in NEW]
    assert all(f"the square of {n}?" in row["messages"][0]["content"] for row, n in zip(varied, NEW, strict=True))
    assert [row["id"] for row in varied] == [f"{square().id}/variation/{number}" for number in range(len(NEW))]
    assert len({row["split"] for row in ours}) == 1, "nothing leaks from one split to another"
    assert sum(kinds.get("variation", 0) for kinds in report.rows.values()) == len(NEW)


def test_a_dataset_with_variations_passes_its_audit(dataset: Path) -> None:
    problems = [one for one in audit_dataset(dataset).problems if "sign" not in one and "seal" not in one]
    assert not [one for one in problems if VARIATIONS in one or "row" in one or "variation" in one], problems


def _changed(field: str, value: str) -> Callable[[list[str]], list[str]]:
    def change(lines: list[str]) -> list[str]:
        return [json.dumps({**json.loads(lines[0]), field: value}), *lines[1:]]

    return change


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_changed("value", "50"), "rows"),
        (_changed("question", "What is the square of 8?"), "is not its question about 7"),
        (_changed("arguments", "8"), "is not its question about 8"),
        (_changed("arguments", "__import__('os')"), "is not its question about"),
        (_changed("crystal", "f" * 64), "is not in the dataset"),
        (_changed("more", "x"), "is not a variation"),
        (lambda lines: lines[1:], "rows"),
        (lambda lines: [*lines, lines[0]], "rows"),
    ],
)
def test_a_changed_variation_is_found(dataset: Path, change: Callable[[list[str]], list[str]], found: str) -> None:
    before = set(audit_dataset(dataset).problems)
    path = dataset / VARIATIONS
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    new = set(audit_dataset(dataset).problems) - before
    assert any(f"{VARIATIONS}: changed since the export" in one for one in new)
    assert any(found in one for one in new), new
