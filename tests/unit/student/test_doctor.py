"""What the trainer says of itself reaches `ghostd doctor`, also when it says that it is slow, or nothing."""

import sys

import pytest

from ghostd.errors import TrainingFailed
from ghostd.student import doctor
from ghostd.student.doctor import finding_of, trainer_sentence

SAID = """torch: 2.8.0, 2 threads
compiler: {compiler}
selective_scan: {rung}
GPU: {gpu}
"""


@pytest.mark.parametrize(
    ("rung", "gpu", "slow"),
    [
        ("native - compiled for avx2", "none that torch can use", False),
        ("chunk - there is no compiler", "none that torch can use", True),
        ("chunk - there is no compiler", "H100\nselective_scan on the GPU: cuda - a binary fits", False),
    ],
)
def test_the_findings_are_one_sentence_with_the_operators_rung(rung: str, gpu: str, *, slow: bool) -> None:
    found = finding_of(SAID.format(compiler="/usr/bin/cc", rung=rung, gpu=gpu))
    assert found.slow is slow
    assert all(part in found.sentence for part in ("torch 2.8.0", "/usr/bin/cc", rung, gpu.partition("\n")[0]))


def test_another_programs_words_are_no_finding() -> None:
    with pytest.raises(TrainingFailed, match="another version"):
        finding_of("usage: trainer")


async def test_the_trainer_is_really_asked() -> None:
    found = await trainer_sentence(threads=1)
    assert "1 threads" in found.sentence and "operators" in found.sentence


async def test_a_trainer_that_fails_is_named_with_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "command", lambda *_: [sys.executable, "-c", "raise SystemExit('no torch today')"])
    with pytest.raises(TrainingFailed, match="no torch today"):
        await trainer_sentence()
