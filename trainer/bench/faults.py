"""Faults to break a training run with, and the diagnosis that each of them must get."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trainer.bench import injections
from trainer.bench.injections import Injection
from trainer.shape import ModelShape

OPTIMIZER: Final = "optimizer"
DATA: Final = "data"
LOSS: Final = "loss"
_BRANCHED: Final = ("groundthink",)  # a blended layer has two last weights, one in each branch
_SELECTIVE: Final = ("mamba", "mamba2", "blend")  # layers with step sizes; in a blend it is Mamba's


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break a run."""

    name: str
    kind: str  # of the right diagnosis
    component: str  # mixer, recurrence (that of a branch, where the mixer has branches), mlp, or a component's name
    inject: Callable[[Injection], None]
    mixers: tuple[str, ...] = ()  # it needs a layer of these; () for any
    models: tuple[str, ...] = ()  # of the bench; () for any
    without: tuple[str, ...] = ()  # models of the bench that have no such part
    from_the_start: bool = False  # else it happens in the middle of the run
    every_step: bool = False  # from then on; it grows
    steps: int = 0  # of the run, where it takes longer than others to do harm; 0 for the bench's own

    def fits(self, model: str, shape: ModelShape) -> bool:
        """Whether a model of the bench has what the fault breaks."""
        if self.mixers and not set(self.mixers) & set(shape.mixers):
            return False
        return model not in self.without and (not self.models or model in self.models)


FAULTS: Final = (
    Fault("learning rate times 40", "rate too high", OPTIMIZER, injections.rate_too_high),
    Fault(
        "learning rate up a tenth each step",
        "rate too high",
        OPTIMIZER,
        injections.rate_grows,
        every_step=True,
        steps=160,
    ),
    Fault("learning rate times 3e-5", "rate too low", OPTIMIZER, injections.rate_too_low, from_the_start=True),
    Fault("step sizes up by 25", "steps saturated", "recurrence", injections.steps_saturated, _SELECTIVE),
    Fault(
        "step sizes up by 0.3 each step",
        "steps saturated",
        "recurrence",
        injections.steps_grow,
        _SELECTIVE,
        every_step=True,
    ),
    Fault("step sizes down to nothing", "steps vanished", "recurrence", injections.steps_vanished, _SELECTIVE),
    Fault("rates times 8,000", "decays collapsed", "recurrence", injections.decays_collapsed, (*_SELECTIVE, "rwkv6")),
    Fault(
        "rates up a fifth each step",
        "decays collapsed",
        "recurrence",
        injections.decays_shrink,
        (*_SELECTIVE, "rwkv6"),
        every_step=True,
        steps=160,
    ),
    Fault("denormal decays", "decays denormal", "recurrence", injections.decays_denormal, _SELECTIVE),
    Fault("writes times a billion", "state explodes", "recurrence", injections.state_explodes, ("mamba", "blend")),
    Fault("dead ReLU", "dead units", "mlp", injections.dead_relu, without=("llama",)),
    Fault("gradient set to zero", "no gradient", "mixer", injections.no_gradient),
    Fault("gradient times 10,000", "gradient dominates", "mixer", injections.gradient_dominates),
    Fault("output weights times 3,000", "output explodes", "mixer", injections.output_explodes, without=_BRANCHED),
    Fault(
        "output weights up by 15 % each step",
        "output explodes",
        "mixer",
        injections.output_grows,
        without=_BRANCHED,
        every_step=True,
        steps=160,
    ),
    Fault("one weight no number", "not finite", "mlp", injections.not_a_number),
    Fault("overflow", "not finite", "mlp", injections.overflow, without=("llama",)),
    Fault("one output times 1,000", "outliers", "mlp", injections.outliers),
    Fault("one output up a fifth each step", "outliers", "mlp", injections.outlier_grows, every_step=True, steps=160),
    Fault("sharp attention", "attention collapsed", "mixer", injections.attention_collapsed, models=("llama",)),
    Fault(
        "attention sharper each step",
        "attention collapsed",
        "mixer",
        injections.attention_sharpens,
        models=("llama",),
        every_step=True,
        steps=160,
    ),
    Fault("two slots win all", "slots dead", "memory", injections.slots_dead, models=("ghost_memory",)),
    Fault("embedding times 1,000", "weights explode", "embedding", injections.embedding_explodes),
    Fault("head times 300", "logits saturated", "head", injections.logits_saturated),
    Fault("targets shuffled", "targets unpredictable", DATA, injections.targets_shuffled, from_the_start=True),
    Fault("targets random", "targets unpredictable", DATA, injections.targets_random, from_the_start=True),
    Fault("three batches of noise", "loss spike", LOSS, injections.noise),
    Fault("all weights of the loss zero", "nothing to learn", DATA, injections.nothing_to_learn),
    Fault("one batch over and over", "overfit", DATA, injections.repeated, steps=160),
)
