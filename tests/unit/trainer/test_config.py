"""run.json says what is wrong with it, and the size dial means what it says."""

from pathlib import Path

import pytest
import torch

from tests.unit.trainer.runs import run_file, tiny_run
from trainer import recipes
from trainer.config import ModelConfig, read_run
from trainer.errors import ConfigError
from trainer.layers.block import mixer_names
from trainer.model import LanguageModel, count_parameters, expected_parameters
from trainer.records import parse, plain
from trainer.shape import shape_of

PROMISED = {"1M": 1e6, "6M": 6e6, "25M": 25e6, "125M": 125e6, "350M": 350e6, "1B": 1e9}


@pytest.mark.parametrize("size", PROMISED)
@pytest.mark.parametrize("recipe", recipes.names())
def test_a_size_has_the_parameters_that_its_name_promises(recipe: str, size: str) -> None:
    shape = shape_of(ModelConfig(recipe=recipe, size=size), context=256)
    with torch.device("meta"):
        counted = sum(count_parameters(LanguageModel(shape)).values())
    assert counted == expected_parameters(shape)
    assert counted == pytest.approx(PROMISED[size], rel=0.08)


@pytest.mark.parametrize(
    ("sections", "complaint"),
    [
        ({"model": {"wide": 3}}, "unknown key 'wide'"),
        ({"model": {"width": "3"}}, "width must be a whole number"),
        ({"model": {"width": True}}, "width must be a whole number"),
        ({"model": {"width": 0}}, "width must be above 0"),
        ({"model": {"size": "2M"}}, "must be one of 1M"),
        ({"data": {"middle_fraction": 1.5}}, "middle_fraction must be at least 0"),
        ({"optimizer": {"clip": -1.0}}, "clip must not be below 0"),
        ({"training": {"sample_prompts": "x"}}, "sample_prompts must be a list"),
    ],
)
def test_a_value_that_cannot_be_meant_is_named(tmp_path: Path, sections: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        tiny_run(tmp_path, **sections)  # type: ignore[arg-type]


def test_a_file_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_run(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(ConfigError, match="is not JSON"):
        read_run(broken)
    broken.write_text('{"out": "x"}')
    with pytest.raises(ConfigError, match="needs the key 'data'"):
        read_run(broken)


def test_paths_are_meant_from_the_files_own_folder(tmp_path: Path) -> None:
    run = read_run(run_file(tmp_path))
    assert (run.out, run.data.path) == (str(tmp_path / "out"), str(tmp_path / "corpus"))


def test_a_record_survives_json(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, training={"sample_prompts": ["a", "b"]})
    assert parse(type(run), plain(run), "x") == run


def test_an_unknown_recipe_or_mixer_names_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="transformer"):
        shape_of(ModelConfig(recipe="oracle"), 8)
    with pytest.raises(ConfigError, match=mixer_names()[0]):
        LanguageModel(shape_of(ModelConfig(mixers=("oracle",), width=16, head_width=16), 8))
    with pytest.raises(ConfigError, match="divide the width"):
        shape_of(ModelConfig(width=33, head_width=16), 8)
