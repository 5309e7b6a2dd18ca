"""Sampling follows its distribution: temperature, filters, penalties, seeds."""

import numpy as np
import pytest

from trainer.bytes import BOUNDARY, USER, VOCABULARY
from trainer.sampling import Sampler, Sampling, distribution, log_probabilities

LIKELY = (0.4, 0.3, 0.2, 0.1)


def logits_of(*likely: float) -> np.ndarray:
    logits = np.full(VOCABULARY, -50.0, np.float32)
    logits[: len(likely)] = np.log(likely)
    return logits


def test_special_ids_but_the_boundary_are_never_chosen() -> None:
    probabilities = distribution(np.zeros(VOCABULARY, np.float32), Sampling(1.0))
    assert len(probabilities) == USER
    assert probabilities[BOUNDARY] == pytest.approx(1 / 257)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(1.0), LIKELY),
        (Sampling(0.5), (0.16 / 0.30, 0.09 / 0.30, 0.04 / 0.30, 0.01 / 0.30)),
        (Sampling(0), (1, 0, 0, 0)),
        (Sampling(1.0, top_k=2), (4 / 7, 3 / 7, 0, 0)),
        (Sampling(1.0, top_k=300), LIKELY),
        (Sampling(1.0, top_p=0.6), (4 / 7, 3 / 7, 0, 0)),
        (Sampling(1.0, top_p=0.0001), (1, 0, 0, 0)),
        (Sampling(1.0, min_p=0.6), (4 / 7, 3 / 7, 0, 0)),
        (Sampling(1.0, top_k=3, min_p=0.6), (4 / 7, 3 / 7, 0, 0)),
    ],
)
def test_filters_keep_what_they_should(sampling: Sampling, expected: tuple[float, ...]) -> None:
    assert distribution(logits_of(*LIKELY), sampling)[:4].tolist() == pytest.approx(expected, abs=1e-6)


def test_penalties_take_from_what_was_written() -> None:
    logits, counts = logits_of(), np.zeros(257)
    logits[:3] = (2.0, 1.0, -1.0)
    counts[[0, 2]] = (3, 1)

    def scores(sampling: Sampling) -> list[float]:
        likely = np.log(distribution(logits, sampling, counts)[:3])
        return (likely - likely[1] + 1).tolist()

    assert scores(Sampling(1.0, repetition_penalty=2)) == pytest.approx([1, 1, -2])
    assert scores(Sampling(1.0, presence_penalty=0.5)) == pytest.approx([1.5, 1, -1.5])
    assert scores(Sampling(1.0, frequency_penalty=0.5)) == pytest.approx([0.5, 1, -1.5])


def test_greedy_with_a_penalty_does_not_repeat() -> None:
    sampler = Sampler(Sampling(0, frequency_penalty=100), seed=0)
    assert [sampler.choose(logits_of(*LIKELY)) for _ in range(4)] == [0, 1, 2, 3]


def test_ids_are_drawn_as_often_as_the_distribution_says_and_a_seed_repeats_them() -> None:
    drawn = [[Sampler(Sampling(1.0), seed).choose(logits_of(*LIKELY)) for seed in range(3000)] for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert (np.bincount(drawn[0], minlength=4)[:4] / 3000).tolist() == pytest.approx(LIKELY, abs=0.03)


def test_log_probabilities_are_those_of_the_whole_vocabulary() -> None:
    assert np.exp(log_probabilities(np.zeros(VOCABULARY, np.float32))).tolist() == pytest.approx([1 / VOCABULARY] * 264)
