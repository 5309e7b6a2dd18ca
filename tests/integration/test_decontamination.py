"""Exports that keep benchmarks out: canaries are found, clean crystals stay, and the report says why."""

import json
import random

import pytest
from pyarrow import parquet

from ghostd.errors import ExportError
from ghostd.export.audit import audit_dataset
from ghostd.export.benchmark_files import read_benchmark
from ghostd.export.dataset import ExportRequest, write_dataset
from ghostd.export.decontaminate import REPORT
from ghostd.export.manifest import read_manifest
from tests.canaries import by_id, crystal_of, entries, items, with_code, with_prose, write_benchmark
from tests.crystals import crystal, crystals, stream

QUESTION = "A farmer sold eleven baskets of ripe plums on Monday and twice as many baskets of green pears on Tuesday."


async def export(out, benchmark, some):
    return await write_dataset(stream(some), ExportRequest(out, decontaminate=benchmark))


def ids(folder):
    return {json.loads(line)["id"] for line in (folder / "crystals.jsonl").read_text().splitlines()}


def report_of(folder):
    return json.loads((folder / REPORT).read_text())


async def test_planted_canaries_are_left_out_and_clean_crystals_are_not(tmp_path):
    """A small edition of bench/decontamination.py."""
    draw, count = random.Random(21), 40
    hosts = [crystal_of(*one) for one in entries(draw, 4, benchmark=False)]
    draw.shuffle(hosts)
    chosen = items(draw, 2 * count)
    write_benchmark(tmp_path / "benchmark", chosen)
    groups = {
        kind: [with_prose(hosts.pop(), text, where) for where, text in enumerate(draw.sample(texts, count))]
        for kind, texts in (("verbatim", chosen.verbatim), ("short", chosen.short))
    }
    groups["code"] = [with_code(hosts.pop(), source) for source in draw.sample(chosen.code, count)]
    everything = [*hosts, *(one for group in groups.values() for one in group)]
    report = await export(tmp_path / "out", tmp_path / "benchmark", by_id(everything))
    kept = ids(tmp_path / "out")
    missed = {kind: sum(one.id in kept for one in group) for kind, group in groups.items()}
    assert missed["verbatim"] == 0
    assert missed["short"] <= 0.1 * count  # of forty, two are to be expected: they say too little
    assert missed["code"] <= 0.1 * count
    assert sum(one.id not in kept for one in hosts) <= 0.01 * len(hosts)
    assert report.crystals == len(kept) == len(everything) - report.contaminated
    unsigned = {"signature", "ledger head", "proofs"}  # no log vouches for crystals without a store
    assert [
        one.problems for one in audit_dataset(tmp_path / "out").checks if one.name not in unsigned and one.problems
    ] == []


async def test_no_row_of_a_contaminated_crystal_is_in_any_file(tmp_path):
    benchmark = tmp_path / "benchmark"
    benchmark.mkdir()
    (benchmark / "test.jsonl").write_text("\n" + json.dumps({"id": 7, "turns": [{"question": QUESTION}]}) + "\n")
    some = [with_prose(one, QUESTION, 0) if number == 5 else one for number, one in enumerate(crystals(60))]
    dropped = some[5]
    report = await export(tmp_path / "out", benchmark, by_id(some))
    assert report.contaminated == 1
    assert report.crystals == 59
    found = report_of(tmp_path / "out")
    assert found["crystals"] == [
        {
            "crystal": dropped.id,
            "concept": dropped.concept.title,
            "lineage": dropped.concept.lineage,
            "matches": [{"rule": "ngram", "file": "test.jsonl", "line": 2}],
        }
    ]
    assert (found["screened"], found["dropped"], found["by_rule"]["ngram"]) == (60, 1, 1)
    for path in (tmp_path / "out").rglob("*"):
        if path.suffix == ".parquet":
            assert dropped.id not in parquet.read_table(path)["crystal"].to_pylist()
        elif path.is_file() and path.name != REPORT:
            assert dropped.id not in path.read_text()
        if path.is_file():
            assert b"ripe plums" not in path.read_bytes()  # the report does not quote it either
    card = (tmp_path / "out/README.md").read_text()
    assert "1 of 60 crystals" in card.partition("## Decontamination")[2]


async def test_a_lineage_of_which_nothing_is_left_is_in_no_split(tmp_path):
    some = list(crystals(60))
    lineage = some[0].concept.lineage
    benchmark = tmp_path / "benchmark"
    benchmark.mkdir()
    (benchmark / "test.txt").write_text(QUESTION)
    planted = [with_prose(one, QUESTION, 0) if one.concept.lineage == lineage else one for one in some]
    await export(tmp_path / "out", benchmark, by_id(planted))
    splits = read_manifest(tmp_path / "out").splits
    assert set(splits) == {one.concept.lineage for one in some} - {lineage}


async def test_the_same_benchmark_gives_the_same_bytes_and_none_gives_no_report(tmp_path):
    write_benchmark(tmp_path / "benchmark", items(random.Random(22), 20))
    for name in ("one", "two"):
        await export(tmp_path / name, tmp_path / "benchmark", crystals(30))
    assert (tmp_path / "one" / REPORT).read_bytes() == (tmp_path / "two" / REPORT).read_bytes()
    assert (tmp_path / "one/manifest.json").read_bytes() == (tmp_path / "two/manifest.json").read_bytes()
    await write_dataset(stream(crystals(30)), ExportRequest(tmp_path / "three"))
    assert not (tmp_path / "three" / REPORT).exists()
    assert "Decontamination" not in (tmp_path / "three/README.md").read_text()


async def test_a_short_passage_that_is_common_language_drops_nothing(tmp_path):
    benchmark = tmp_path / "benchmark"
    benchmark.mkdir()
    (benchmark / "test.txt").write_text("Negative numbers have negative residues.\n\nWhich river crosses Vienna?")
    some = [with_prose(one, "Which river crosses Vienna?", 0) for one in crystals(120)]
    assert len({one.concept.lineage for one in some}) > 10
    rare = with_prose(crystal(1000), "Negative numbers have negative residues.", 0)
    report = await export(tmp_path / "out", benchmark, by_id([*some, rare]))
    found = report_of(tmp_path / "out")
    assert [one["line"] for one in found["common_short_passages"]] == [3]
    assert rare.id not in ids(tmp_path / "out")
    assert 0 < report.contaminated < 120


async def test_nothing_is_written_when_everything_is_contaminated(tmp_path):
    benchmark = tmp_path / "benchmark"
    benchmark.mkdir()
    (benchmark / "test.md").write_text(QUESTION)
    with pytest.raises(ExportError, match="All 3 crystals"):
        await export(tmp_path / "out", benchmark, by_id([with_prose(one, QUESTION, 0) for one in crystals(3)]))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("a.jsonl", '{"q": 1}\n{broken\n', "line 2"),
        ("a.json", "[", "a.json"),
        ("a.csv", 'x,"y\n', "a.csv"),
        ("a.parquet", "PAR1", "a.parquet"),
        ("a.txt", b"\xff\xfe\xfa", "a.txt"),
    ],
)
async def test_a_broken_benchmark_file_is_named(tmp_path, name, content, named):
    benchmark = tmp_path / "benchmark"
    benchmark.mkdir()
    (benchmark / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ExportError, match=f"{named}.*mend or remove"):
        await export(tmp_path / "out", benchmark, crystals(3))
    assert not (tmp_path / "out").exists()


async def test_a_folder_that_is_not_there_or_holds_nothing_is_refused(tmp_path):
    with pytest.raises(ExportError, match="no folder"):
        await export(tmp_path / "out", tmp_path / "nowhere", crystals(3))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/picture.png").write_bytes(b"\x89PNG")
    with pytest.raises(ExportError, match="holds no text"):
        await export(tmp_path / "out", tmp_path / "empty", crystals(3))


def test_places_are_files_and_lines_and_unknown_kinds_are_reported(tmp_path):
    solution = (
        "def area(width, height):\n    if width < 0 or height < 0:\n        return 0\n    return width * height\n"
    )
    (tmp_path / "code.py").write_text(f'"""Shapes."""\n\n\n{solution}')
    (tmp_path / "notes.md").write_text(f"# Title\n\n{QUESTION}\n\n```python\n{solution}```\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    (tmp_path / ".hidden.txt").write_text("Nobody looks at this hidden file of words.")
    reading = read_benchmark(tmp_path)
    assert reading.files == ("code.py", "notes.md")
    assert reading.skipped == ("picture.png",)
    matches = reading.benchmark.matches([QUESTION], [solution.replace("width", "w")])
    assert ("notes.md", 3) in {(one.place.file, one.place.line) for one in matches}
    assert ("code.py", 4) in {(one.place.file, one.place.line) for one in matches}


def test_a_prompt_and_the_body_in_the_next_field_are_one_function(tmp_path):
    row = {
        "prompt": 'def gaps(numbers):\n    """The gaps."""\n',
        "canonical_solution": "    some = sorted(numbers)\n    return [b - a for a, b in zip(some, some[1:])]\n",
    }
    (tmp_path / "eval.jsonl").write_text(json.dumps(row) + "\n")
    code = "def f(xs):\n    s = sorted(xs)\n    return [q - p for p, q in zip(s, s[1:])]\n"
    found = read_benchmark(tmp_path).benchmark.matches([], [code])
    assert "function" in {one.rule for one in found}
