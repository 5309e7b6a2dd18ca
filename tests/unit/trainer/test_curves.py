"""The picture of a run is there at its end, is drawn no more often than asked, and its loss is where it should be."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests.unit.trainer.runs import tiny_run
from trainer.curves import Curves, draw, smoothed
from trainer.loop import train

matplotlib = pytest.importorskip("matplotlib")


def journal(folder: Path, losses: list[float]) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [
        {"step": step, "loss": loss, "gradient_norm": 1 / step, "rate": 1.0} for step, loss in enumerate(losses, 1)
    ]
    lines.append({"step": len(losses), "validation_loss": losses[-1], "bits_per_byte": losses[-1]})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def highest_ink(path: Path, color: tuple[float, float, float]) -> list[float]:
    """For a few columns of the first panel, how far down the picture the first pixel of the color is, from 0 to 1."""
    from matplotlib.image import imread

    picture = np.asarray(imread(path))[:, :, :3]
    hits = np.abs(picture - np.array(color)).max(axis=2) < 0.02
    columns = np.flatnonzero(hits.any(axis=0))
    chosen = columns[len(columns) // 10 :: len(columns) // 4]
    return [float(np.flatnonzero(hits[:, column])[0]) / picture.shape[0] for column in chosen]


def test_a_falling_loss_is_drawn_falling(tmp_path: Path) -> None:
    falling = draw(journal(tmp_path / "falling", [5.0 - 4 * step / 200 for step in range(200)]))
    ink = highest_ink(falling, (0x2A / 255, 0x6F / 255, 0x97 / 255))
    assert len(ink) >= 3
    assert ink == sorted(ink) and ink[-1] - ink[0] > 0.2


def test_a_run_draws_at_its_end_and_not_at_every_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Path] = []
    monkeypatch.setattr("trainer.curves.draw", lambda folder: drawn.append(draw(folder)))
    train(tiny_run(tmp_path, training={"curves_every": 3600, "steps": 8, "evaluate_every": 4}), lambda _line: None)
    assert drawn == [tmp_path / "out/curves.png"] * 2, "at the first checkpoint and at the end"
    assert drawn[0].read_bytes().startswith(b"\x89PNG")
    assert list((tmp_path / "out").glob("*.partial")) == []


def test_without_matplotlib_a_line_says_what_to_install_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    curves = Curves(journal(tmp_path, [1.0, 2.0]), every=60.0)
    assert "install matplotlib" in curves.after_checkpoint(last=False)
    assert curves.after_checkpoint(last=True) == ""


def test_none_is_drawn_where_none_is_wanted(tmp_path: Path) -> None:
    assert Curves(tmp_path, every=0.0).after_checkpoint(last=True) == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "window", "expected"),
    [
        ([1.0, 2.0, 3.0, 4.0], 2, [1.0, 1.5, 2.5, 3.5]),
        ([1.0, math.nan, 3.0], 2, [1.0, 1.0, 3.0]),
        ([], 3, []),
        ([5.0, 1.0], 9, [5.0, 3.0]),
    ],
)
def test_a_mean_is_over_what_came_before(values: list[float], window: int, expected: list[float]) -> None:
    assert smoothed(values, window) == pytest.approx(expected)
