"""The losses' track and the plateau verdict, over tables of curves."""

import math
import random

import pytest
import torch

from trainer.data import Batch
from trainer.monitor.losses import LossTrack, entropy_of_targets, unpredictable
from trainer.monitor.plateau import Advice, Point, judge


def falling(steps: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    return [2.2 + 3.3 * math.exp(-step / 15) + chance.gauss(0, 0.08) for step in range(steps)]


def alarms(losses: list[float]) -> list[int]:
    track = LossTrack()
    return [step for step, loss in enumerate(losses, start=1) if track.add(loss)]


def test_a_noisy_falling_loss_raises_no_alarm() -> None:
    assert sum(len(alarms(falling(400, seed))) for seed in range(20)) <= 1


def test_a_spike_and_a_slow_rise_are_noticed() -> None:
    spiked = falling(100, 1)
    spiked[59] += 3.0
    assert alarms(spiked)[0] <= 62
    rising = [loss + 0.06 * max(0, step - 60) for step, loss in enumerate(falling(100, 2))]
    assert 60 < alarms(rising)[0] < 85


def test_a_track_goes_on_from_its_state() -> None:
    losses = falling(80, 3)
    whole, first = LossTrack(), LossTrack()
    for loss in losses[:50]:
        whole.add(loss)
        first.add(loss)
    second = LossTrack.of_state(first.state())
    assert [whole.add(loss) for loss in losses[50:]] == [second.add(loss) for loss in losses[50:]]
    assert whole == second


SOME, MUCH, NONE = (0.006, 0.002), (0.08, 0.02), (-0.001, 0.004)  # gains of looks: AdamW, slow; Muon; nothing learnt


@pytest.mark.parametrize(
    ("loss", "gains", "expected"),
    [
        (3.1, [NONE] * 6, True),
        (5.5, [NONE] * 6, True),
        (3.1, [NONE, NONE, (0.01, 0.004), NONE, NONE], True),  # chance
        (3.1, [SOME] * 6, False),  # slow, but it knows something of what follows what
        (4.4, [MUCH] * 6, False),
        (3.4, [*[SOME] * 5, (-0.05, 0.07)], False),  # a spike at the last look
        (3.1, [NONE] * 4, False),  # too few
        (2.4, [NONE] * 6, False),
    ],
)
def test_targets_are_unpredictable_where_nothing_is_gained_over_how_often_each_id_comes(
    loss: float, gains: list[tuple[float, float]], expected: bool
) -> None:
    assert unpredictable(loss, 3.15, gains) is expected
    assert not unpredictable(loss, None, gains)


def test_the_entropy_is_that_of_weighted_targets() -> None:
    ids = torch.tensor([[1, 2, 3, 4]])
    batch = Batch(ids, ids, torch.tensor([[1.0, 1.0, 0.0, 0.0]]), torch.zeros_like(ids))
    assert entropy_of_targets([batch, batch]) == pytest.approx(math.log(2))
    assert entropy_of_targets([]) is None


def curve(validation: list[float], training: list[float] | None = None, schedule: float = 1.0) -> list[Point]:
    training = training or validation
    return [
        Point(10 * number, held_out, seen, schedule)
        for number, (held_out, seen) in enumerate(zip(validation, training, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("points", "advice"),
    [
        (curve([3.0, 3.1, 3.2]), Advice.CONTINUE),  # too few
        (curve([3.0, 2.8, 2.7, 2.6, 2.5]), Advice.CONTINUE),
        (curve([3.0, 2.5, 2.7, 2.9, 3.1], [3.0, 2.4, 2.0, 1.6, 1.2]), Advice.OVERFIT),
        (curve([3.0, 2.5, 2.5, 2.5, 2.5]), Advice.CUT),
        (curve([3.0, 2.5, 2.5, 2.5, 2.5], schedule=0.06), Advice.CONVERGED),
        (curve([3.0, 2.5, 2.7, 2.9, 3.1], [3.0, 2.5, 2.6, 2.8, 3.0]), Advice.CUT),  # worse on both: too fast
    ],
)
def test_a_curve_gets_its_verdict_with_a_reason(points: list[Point], advice: Advice) -> None:
    verdict = judge(points)
    assert verdict.advice is advice
    assert verdict.reason
    assert verdict.best == min(point.validation for point in points)


def test_noise_alone_is_no_progress() -> None:
    chance = random.Random(0)
    assert judge(curve([2.5 + chance.gauss(0, 0.03) for _ in range(12)])).advice is not Advice.CONTINUE
