"""The card: counts, and a licence that is never invented."""

import dataclasses

import pytest
import yaml

from ghostd.export.card import card
from ghostd.export.dataset import ExportRequest, write_dataset
from ghostd.export.manifest import Choices
from ghostd.export.tally import Tally
from tests.crystals import crystals, stream


def front_matter(text):
    return yaml.safe_load(text.split("---\n")[1])


def choices(**changes):
    return Choices(
        **{
            "formats": ("parquet",),
            "min_grade": "tested",
            "domain": "",
            "seed": 0,
            "include_unverified_claims": False,
            "licence": "",
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("teachers", "chosen", "expected"),
    [
        (["Apache-2.0"], "", {"license": "apache-2.0"}),
        (["Apache-2.0", "MIT"], "", {"license": "other"}),
        (["Apache-2.0", ""], "", {"license": "other"}),
        ([""], "", {"license": "unknown"}),
        (["Teacher Terms 2"], "", {"license": "other", "license_name": "Teacher Terms 2"}),
        (["Apache-2.0", ""], "cc-by-4.0", {"license": "cc-by-4.0"}),
    ],
)
def test_the_licence_is_the_chosen_one_or_the_one_that_all_teachers_share(teachers, chosen, expected):
    tally = Tally()
    for teacher in teachers:
        tally.teachers["model", teacher] += 1
    found = front_matter(card(tally, choices(licence=chosen), "0.0"))
    assert {key: value for key, value in found.items() if key.startswith("license")} == expected


@pytest.mark.parametrize(
    ("formats", "path"),
    [
        (("jsonl", "parquet", "text"), "data/train-*.parquet"),
        (("jsonl", "text"), "jsonl/train.jsonl"),
        (("text",), "text/train.txt"),
    ],
)
async def test_the_default_configuration_names_files_that_are_there(tmp_path, formats, path):
    out = tmp_path / "dataset"
    await write_dataset(stream(crystals(60)), ExportRequest(out, formats=formats))
    (configuration,) = front_matter((out / "README.md").read_text())["configs"]
    files = configuration["data_files"]
    assert files[0] == {"split": "train", "path": path}
    assert all(list(out.glob(one["path"])) for one in files)


async def test_the_card_counts_what_is_there(tmp_path):
    report = await write_dataset(stream(crystals(100)), ExportRequest(tmp_path / "out"))
    text = (tmp_path / "out/README.md").read_text()
    assert report.root in text
    for split, kinds in report.rows.items():
        (line,) = (line for line in text.splitlines() if line.startswith(f"| {split} |"))
        assert line.split("| ")[3].strip(" |") == str(kinds["explain"])
    assert "| house-model | not stated | 33 |" in text
    assert f"`refuted` in {sum(one.status == 'refuted' for c in crystals(100) for one in c.claims)} rows" in text


async def test_a_small_dataset_is_in_the_smallest_size_category(tmp_path):
    one = next(crystals(1))
    await write_dataset(stream([dataclasses.replace(one, teacher="a|b")]), ExportRequest(tmp_path / "out"))
    text = (tmp_path / "out/README.md").read_text()
    assert front_matter(text)["size_categories"] == ["n<1K"]
    assert r"| a\|b |" in text
