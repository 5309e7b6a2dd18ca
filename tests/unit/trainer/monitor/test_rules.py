"""Rules name the cause and leave sound runs alone, over tables of looks."""

import math
from typing import Any

import pytest

from trainer.monitor.looks import Kind, Look
from trainer.monitor.rules import first_diagnosis

SOUND: dict[str, dict[str, Any]] = {
    "embedding": {"gradient": 0.2, "weight": 0.1, "update": 0.01, "output": 0.1, "broken": 0.0},
    "layers.0.mamba": {
        "gradient": 0.2,
        "weight": 0.6,
        "update": 0.003,
        "output": 0.5,
        "broken": 0.0,
        "share": 0.5,
        "concentration": 0.1,
        "saturated": 0.0,
        "vanished": 0.0,
        "denormal": 0.0,
        "instant": 0.0,
        "half_life": 20.0,
        "step": 0.01,
        "state": 0.1,
    },
    "layers.0.mlp": {
        "gradient": 0.1,
        "weight": 0.07,
        "update": 0.02,
        "output": 0.4,
        "broken": 0.0,
        "share": 0.3,
        "concentration": 0.1,
        "dead": 0.01,
    },
    "layers.1.attention": {
        "gradient": 0.1,
        "weight": 0.07,
        "update": 0.02,
        "output": 0.4,
        "broken": 0.0,
        "share": 0.3,
        "concentration": 0.1,
        "attention_entropy_highest": 0.7,
    },
    "memory": {"gradient": 0.1, "weight": 0.1, "update": 0.02, "slots_dead": 0.1},
    "head": {"gradient": 0.3, "weight": 0.15, "update": 0.01, "output": 6.0, "broken": 0.0},
}


def look(step: int, changes: dict[str, dict[str, float]] | None = None, **facts: float) -> Look:
    parts = {name: {**found, **(changes or {}).get(name, {})} for name, found in SOUND.items()}
    values = {"loss": 2.5, "norm": 0.5, "schedule": 1.0, **facts}
    return Look(step, values["loss"], values["norm"], values["schedule"], parts)


PAST = [look(1, loss=5.6), look(8, loss=4.0), look(16, loss=3.0)]


@pytest.mark.parametrize(
    ("component", "changes", "kind"),
    [
        ("layers.0.mamba", {"saturated": 0.8, "instant": 1.0, "share": 20.0}, Kind.STEPS_SATURATED),
        ("layers.0.mamba", {"vanished": 0.8}, Kind.STEPS_VANISHED),
        ("layers.0.mamba", {"denormal": 0.6, "instant": 1.0}, Kind.DECAYS_DENORMAL),
        ("layers.0.mamba", {"instant": 0.9}, Kind.DECAYS_COLLAPSED),
        ("layers.0.mamba", {"instant": 0.9, "step": 3.0}, Kind.STEPS_SATURATED),  # its steps are why
        ("layers.0.mamba", {"state": 1e6}, Kind.STATE_EXPLODES),
        ("layers.1.attention", {"attention_entropy_highest": 0.01}, Kind.ATTENTION_COLLAPSED),
        ("memory", {"slots_dead": 0.99}, Kind.SLOTS_DEAD),
        ("layers.0.mlp", {"dead": 0.95, "gradient": 0.0}, Kind.DEAD_UNITS),
        ("layers.0.mlp", {"concentration": 0.95, "share": 30.0}, Kind.OUTLIERS),
        ("layers.1.attention", {"share": 30.0, "weight": 9.0}, Kind.OUTPUT_EXPLODES),
        ("embedding", {"weight": 5.0}, Kind.WEIGHTS_EXPLODE),
        ("layers.0.mlp", {"gradient": 0.0}, Kind.NO_GRADIENT),
        ("layers.0.mlp", {"gradient": 1000.0}, Kind.GRADIENT_DOMINATES),
        ("head", {"output": 900.0}, Kind.LOGITS_SATURATED),
        ("layers.0.mlp", {"broken": 1.0}, Kind.NOT_FINITE),
        ("layers.0.mlp", {"gradient": math.nan}, Kind.NOT_FINITE),
    ],
)
def test_a_component_at_fault_is_named(component: str, changes: dict[str, float], kind: Kind) -> None:
    found = first_diagnosis(look(24, {component: changes}), PAST)
    assert found is not None
    assert (found.component, found.kind) == (component, kind)
    assert found.because and found.remedy


def test_a_sound_run_is_left_alone_whatever_its_step() -> None:
    for step in range(len(PAST)):
        assert first_diagnosis(PAST[step], PAST[:step]) is None
    assert first_diagnosis(look(24), PAST) is None


def test_of_broken_outputs_the_first_one_is_the_cause() -> None:
    after = {name: {"broken": 1.0, "gradient": math.nan} for name in ("layers.0.mlp", "layers.1.attention", "head")}
    found = first_diagnosis(look(24, after, loss=math.nan), PAST)
    assert found is not None and found.component == "layers.0.mlp"


def test_a_broken_gradient_begins_at_the_last_component_that_has_it() -> None:
    before = {name: {"gradient": math.inf} for name in ("embedding", "layers.0.mamba", "layers.0.mlp")}
    found = first_diagnosis(look(24, before), PAST)
    assert found is not None and found.component == "layers.0.mlp"


def every(**changes: float) -> dict[str, dict[str, float]]:
    return {name: dict(changes) for name in SOUND}


def test_steps_that_are_too_large_for_the_weights_or_for_the_schedule_are_the_optimizers_fault() -> None:
    for changes in (every(update=0.5), every(update=0.09), every(update=0.001, weight=2.0)):
        found = first_diagnosis(look(24, changes), PAST)
        assert found is not None
        assert (found.component, found.kind) == ("optimizer", Kind.RATE_TOO_HIGH)
    assert first_diagnosis(look(24, every(update=0.002), schedule=0.1), PAST) is None


@pytest.mark.parametrize(("growth", "kinds"), [(1.0, set()), (1.5, {Kind.RATE_TOO_HIGH})])
def test_a_rate_that_makes_the_weights_grow_is_too_high_although_steps_keep_their_share_in_them(
    growth: float, kinds: set[Kind]
) -> None:
    looks = [look(8 * (number + 1), every(weight=0.1 * growth**number, update=0.05)) for number in range(8)]
    found = [first_diagnosis(each, looks[:number]) for number, each in enumerate(looks)]
    assert {diagnosis.kind for diagnosis in found if diagnosis} == kinds


def test_a_rate_is_too_low_only_while_nothing_is_learnt() -> None:
    still = [look(step, every(update=1e-6), loss=5.58) for step in (1, 8, 16)]
    found = first_diagnosis(look(24, every(update=1e-6), loss=5.57), still)
    assert found is not None and found.kind is Kind.RATE_TOO_LOW
    assert first_diagnosis(look(24, every(update=1e-6)), PAST) is None


def test_a_loss_of_exactly_nothing_is_the_datas_fault() -> None:
    found = first_diagnosis(look(24, every(gradient=0.0), loss=0.0, norm=0.0), PAST)
    assert found is not None
    assert (found.component, found.kind) == ("data", Kind.NOTHING_TO_LEARN)


def test_a_look_comes_back_from_its_record() -> None:
    record = look(8).record()
    assert Look.of_record(record).record() == record
