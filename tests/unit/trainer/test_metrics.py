"""Journals forget what a killed process did after its last checkpoint, and the meter says how long it takes."""

from pathlib import Path

import pytest

from trainer.metrics import Journals
from trainer.progress import Meter, eta


def test_a_journal_goes_on_after_the_checkpoint_and_forgets_half_a_line(tmp_path: Path) -> None:
    journals = Journals(tmp_path, 0)
    for step in (1, 2, 3):
        journals.write("metrics", step, loss=0.5)
    journals.close()
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"step": 1, "lo')
    journals = Journals(tmp_path, 2)
    journals.write("metrics", 3, loss=0.25)
    journals.close()
    assert path.read_text() == '{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.5}\n{"step": 3, "loss": 0.25}\n'


def test_the_meter_speaks_every_five_seconds_and_at_the_end() -> None:
    meter = Meter(first_step=10, steps=20, began=100.0)
    said = [meter.after_step(step, 2.0, 50, now=100.0 + 2 * (step - 10)) for step in range(11, 21)]
    assert [bool(line) for line in said] == [True, False, False, True, False, False, True, False, False, True]
    assert said[0] == "step 11/20 (55 %)  loss 2.0000  25 ids/s  18 s left"


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")])
def test_a_duration_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert eta(seconds) == said
