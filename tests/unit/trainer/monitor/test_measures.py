"""The measures of tensors agree with what can be worked out by hand."""

import math

import pytest
import torch
from torch import nn

from trainer.monitor import activations, states
from trainer.monitor.merging import merged


def test_kurtosis_tells_a_normal_distribution_from_a_lone_outlier() -> None:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(200_000, generator=generator)
    assert float(activations.kurtosis(normal)) == pytest.approx(3, abs=0.05)
    lone = torch.zeros(1000)
    lone[3] = 7.0
    assert float(activations.kurtosis(lone)) == pytest.approx(1000)
    assert float(activations.kurtosis(1e25 * lone)) == pytest.approx(1000)


def test_a_unit_is_dead_only_where_it_is_never_positive() -> None:
    x = torch.tensor([[[-1.0, 2.0, 0.0, -3.0], [-2.0, -1.0, 0.0, 4.0]]])
    assert float(activations.dead_units(x)) == 0.5


def test_the_loudest_unit_has_its_share_of_the_energy() -> None:
    x = torch.ones(5, 4)
    assert float(activations.concentration(x)) == pytest.approx(0.25)
    x[:, 2] = 100.0
    assert float(activations.concentration(x)) > 0.999


@pytest.mark.parametrize("causal", [True, False])
def test_attention_entropy_is_one_for_even_attention_and_zero_for_one_key(causal: bool) -> None:
    query, key = torch.zeros(1, 2, 12, 4), torch.randn(1, 2, 12, 4, generator=torch.Generator().manual_seed(0))
    assert activations.attention_entropy(query, key, None, causal=causal).tolist() == pytest.approx([1.0, 1.0])
    query[..., 0], key[..., 0] = 1000.0, 0.0
    key[:, :, 0, 0] = 1.0
    assert activations.attention_entropy(query, key, None, causal=causal).tolist() == pytest.approx(
        [0.0, 0.0], abs=1e-4
    )


def test_attention_entropy_counts_only_the_keys_that_a_mask_lets_through() -> None:
    query, key = torch.zeros(1, 1, 8, 4), torch.zeros(1, 1, 8, 4)
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    mask[..., :3] = True
    assert activations.attention_entropy(query, key, mask, causal=False).tolist() == pytest.approx([1.0])
    alone = torch.eye(8, dtype=torch.bool)[None, None]
    assert activations.attention_entropy(query, key, alone, causal=False).tolist() == [1.0]


def test_half_lives_are_those_of_the_decays() -> None:
    found = states.decay_measures(torch.full((6, 5), -math.log(2) / 10))
    assert float(found["half_life"]) == pytest.approx(10)
    assert found["half_lives"].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    assert [float(found[name]) for name in ("instant", "denormal", "forever")] == [0, 0, 0]
    assert float(states.decay_measures(torch.full((9,), -95.0))["denormal"]) == 1
    assert float(states.decay_measures(torch.full((9,), -120.0))["denormal"]) == 0
    assert float(states.decay_measures(torch.full((9,), -1e-9))["forever"]) == 1


def test_a_channel_is_saturated_or_vanished_only_where_it_is_so_at_every_id() -> None:
    steps = torch.tensor([[20.0, 20.0, 1e-7, 1e-7], [20.0, 0.1, 1e-7, 0.1]])
    found = states.step_measures(steps)
    assert float(found["saturated"]) == 0.25
    assert float(found["vanished"]) == 0.25


def test_the_effective_rank_is_one_for_equal_singular_values_and_least_for_one_direction() -> None:
    assert float(states.state_measures(torch.eye(8)[None])["rank"]) == pytest.approx(1)
    one = torch.outer(torch.arange(1.0, 9), torch.ones(8))[None]
    found = states.state_measures(one)
    assert float(found["rank"]) == pytest.approx(1 / 8, rel=0.05)
    assert float(states.state_measures(torch.ones(1, 8, 8))["state_entropy"]) == pytest.approx(1)
    assert math.isfinite(float(states.state_measures(torch.full((1, 4, 4), 1e30))["rank"]))


def test_slots_that_nobody_reads_are_counted() -> None:
    use = torch.tensor([1.0, 1.0, 0.0, 0.0])
    found = states.slot_measures(use)
    assert float(found["slots_used"]) == pytest.approx(0.5)
    assert float(found["slots_dead"]) == 0.5


def test_who_knows_the_next_id_gains_and_who_knows_how_often_ids_come_does_not() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 4, (200,), generator=generator)
    right = nn.functional.one_hot(targets, 4).float()
    mean, error = activations.gain(right, targets)
    assert float(mean) > 20 * float(error) > 0
    mean, error = activations.gain(right[torch.randperm(200, generator=generator)], targets)
    assert abs(float(mean)) < 3 * float(error)
    assert float(activations.gain(torch.ones(200, 4), targets)[0]) == 0


def test_what_processes_measure_becomes_one_mean_and_the_worst_is_kept() -> None:
    def of(**measures: float | list[float]) -> dict[str, dict[str, float | list[float]]]:
        return {
            "layers.0.mamba": {"half_lives": [0.0, 1.0], "share": 0.5, "broken": 0.0, "gain_error": 0.3, **measures}
        }

    assert merged([of()]) == of()
    both = merged([of(), of(half_lives=[1.0, 0.0], share=0.75, broken=1.0, gain_error=0.4)])
    assert both == of(half_lives=[0.5, 0.5], share=0.625, broken=1.0, gain_error=0.25)
    assert math.isnan(float(str(merged([of(), of(share=math.nan)])["layers.0.mamba"]["share"])))


def test_spread_takes_both_ends() -> None:
    assert states.spread(torch.arange(1000), 0, 3).tolist() == [0, 499, 999]
    assert states.spread(nn.Parameter(torch.arange(3.0)), 0, 5).tolist() == [0, 1, 2]
