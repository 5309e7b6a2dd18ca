"""From looks to diagnoses: pure functions and their thresholds; the first rule that fires names the cause.

What a fault does to other components comes after it in the list: steps that are saturated also make an output explode,
and one component's explosion gives all others odd gradients. The thresholds lie between what clean runs of all recipes
show and what broken ones show; `bench diagnostics` counts how well they part them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Final

from trainer.monitor.looks import Diagnosis, Kind, Look

_FEW_LOOKS: Final = 2  # a component's own past begins to count after so many
_MOST: Final = 0.5  # of channels or decays: more than this is a fault of the component
_ALL_BUT_A_FEW: Final = 0.9
_DEAD_SLOTS: Final = 0.8
_ONE_KEY: Final = 0.03  # attention entropy, as a fraction of the largest
_LARGEST_UPDATE: Final = 0.3  # of the weights' size, in one step, by the median component
_STEP_GROWTH: Final = 2.5  # against their own past, the schedule taken out
_SMALLEST_UPDATE: Final = 2e-5
_STAYS: Final = 0.97  # of the first loss: nothing was learnt
_LARGEST_SHARE: Final = 6.0  # of a component's output, in sizes of the residual stream
_GROWTH: Final = 5.0  # of shares and weights, against their own past
_LOUD: Final = 0.75  # sizes of the residual stream
_LARGEST_LOGIT: Final = 40.0  # root mean square before the cap
_LARGEST_STATE: Final = 1e5
_DOMINANCE: Final = 100.0  # times the gradients of all others together
_GRADIENT_GROWTH: Final = 30.0

Rule = Callable[[Look, Sequence[Look]], Iterator[Diagnosis]]


def first_diagnosis(look: Look, past: Sequence[Look]) -> Diagnosis | None:
    """The cause, where something is wrong.

    Args:
        look: the newest.
        past: earlier looks, the oldest first.

    """
    return next((diagnosis for rule in RULES for diagnosis in rule(look, past)), None)


def _not_finite(look: Look, _past: Sequence[Look]) -> Iterator[Diagnosis]:
    remedy = "restore the last checkpoint, and lower its learning rate or bound its inputs"
    for name in look.parts:
        if look.value(name, "broken"):
            yield Diagnosis(name, Kind.NOT_FINITE, "its output is infinite or no number, its input is not", remedy)
    wrong = [name for name in look.parts if not math.isfinite(look.value(name, "gradient") or 0.0)]
    if wrong:  # a gradient flows backwards: it broke in the last of them
        yield Diagnosis(wrong[-1], Kind.NOT_FINITE, "its gradient is infinite or no number, its output is fine", remedy)
    if not math.isfinite(look.loss):
        yield Diagnosis(
            "loss", Kind.NOT_FINITE, f"it is {look.loss}, the logits are fine", "look at weights of the loss"
        )


def _nothing_to_learn(look: Look, _past: Sequence[Look]) -> Iterator[Diagnosis]:
    if look.norm == 0 and look.loss == 0:
        yield Diagnosis(
            "data",
            Kind.NOTHING_TO_LEARN,
            "loss and gradient are exactly 0",
            "all weights of the loss are 0: check data.loss_on and that answers fit the context",
        )


def _rate_too_high(look: Look, past: Sequence[Look]) -> Iterator[Diagnosis]:
    """The schedule is taken out of what is compared with the past; the first step sees tiny new weights."""
    update = _typical(look, "update")
    if update is None or look.step == 1:
        return
    growth = _growth_of_steps(look, [each for each in past if each.step > 1])
    remedy = "lower optimizer.learning_rate and muon_learning_rate, or lengthen the warm-up"
    if update > _LARGEST_UPDATE and len(past) >= 1:
        yield Diagnosis(
            "optimizer", Kind.RATE_TOO_HIGH, f"a step moves the weights of most components by {update:.0%}", remedy
        )
    elif growth is not None and growth > _STEP_GROWTH:
        yield Diagnosis(
            "optimizer", Kind.RATE_TOO_HIGH, f"steps became {growth:.0f} times as large as the schedule means", remedy
        )
    elif len(past) >= _FEW_LOOKS:
        grown = [name for name in look.parts if (_growth(look, past[-1], name, "weight") or 0) > 1.5]  # noqa: PLR2004  # half as large again between two looks
        if len(grown) > _MOST * len(_having(look, "weight")):
            yield Diagnosis(
                "optimizer", Kind.RATE_TOO_HIGH, f"the weights of {len(grown)} components grew by half at once", remedy
            )


def _growth_of_steps(look: Look, past: Sequence[Look]) -> float | None:
    """How many times as large the steps are as in the past, by the median component, the schedule taken out.

    Of the steps themselves, not of their share in the weights: too high a rate makes the weights grow along with them.
    """
    growths = []
    for name in look.parts:
        now, before = _step_size(look, name), [size for each in past if (size := _step_size(each, name))]
        if now is not None and len(before) >= _FEW_LOOKS:
            growths.append(now / median(before))
    return median(growths) if growths else None


def _step_size(look: Look, name: str) -> float | None:
    """Root mean square of what the step added to the weights, at the peak learning rate."""
    update, weight = look.value(name, "update"), look.value(name, "weight")
    return None if update is None or weight is None else update * weight / look.schedule


def _rate_too_low(look: Look, past: Sequence[Look]) -> Iterator[Diagnosis]:
    updates = [_typical(each, "update") for each in (*past, look)]
    if len(past) > _FEW_LOOKS and look.loss > _STAYS * past[0].loss:
        largest = max(value for value in updates if value is not None)
        if 0 < largest < _SMALLEST_UPDATE:
            yield Diagnosis(
                "optimizer",
                Kind.RATE_TOO_LOW,
                f"no step moved the weights by more than {largest:.1g} of their size, and the loss stays",
                "raise optimizer.learning_rate and muon_learning_rate tenfold until steps are about 1e-3 to 1e-2",
            )


def _recurrences(look: Look, past: Sequence[Look]) -> Iterator[Diagnosis]:
    for name in look.parts:
        step, half_life = look.value(name, "step"), look.value(name, "half_life")
        if (look.value(name, "saturated") or 0) > _MOST:
            why = f"channels step by more than 5 at every id (median {step:.3g}), so nothing is remembered"
            yield Diagnosis(name, Kind.STEPS_SATURATED, why, "re-initialise step_size.bias, lower its learning rate")
        if (look.value(name, "vanished") or 0) > _MOST:
            why = f"channels step by less than 1e-5 at every id (median {step:.3g}), so nothing is written"
            yield Diagnosis(name, Kind.STEPS_VANISHED, why, "re-initialise step_size.bias, lower its learning rate")
        if (look.value(name, "denormal") or 0) > _MOST / 2:
            why = f"{look.value(name, 'denormal'):.0%} of decays are denormal numbers, slow and as good as 0"
            yield Diagnosis(name, Kind.DECAYS_DENORMAL, why, "re-initialise its decays, and flush denormals")
        if (look.value(name, "instant") or 0) > _MOST:
            usual = _usual(past, name, "step")
            if step is not None and usual is not None and step > _GROWTH * usual:
                why = (
                    f"channels step {step / usual:.0f} times as far as before (median {step:.3g}), so all is forgotten"
                )
                remedy = "re-initialise step_size.bias, lower its learning rate"
                yield Diagnosis(name, Kind.STEPS_SATURATED, why, remedy)
            why = f"states are forgotten at once (median half-life {half_life:.2g} ids)"
            yield Diagnosis(name, Kind.DECAYS_COLLAPSED, why, "re-initialise its decays, lower their learning rate")
        size = look.value(name, "state")
        if size is not None and size > _LARGEST_STATE:
            why = f"its state has grown to {size:.2g}"
            yield Diagnosis(name, Kind.STATE_EXPLODES, why, "shorten the rows it carries, or let it decay faster")


def _readers(look: Look, past: Sequence[Look]) -> Iterator[Diagnosis]:
    for name in look.parts:
        entropy = look.value(name, "attention_entropy_highest")
        if entropy is not None and entropy < _ONE_KEY:
            why = f"every head looks at one key (entropy {entropy:.1%} of the largest)"
            remedy = "normalise queries and keys (query_key_norm), or lower its learning rate"
            yield Diagnosis(name, Kind.ATTENTION_COLLAPSED, why, remedy)
        dead = look.value(name, "slots_dead")
        if dead is not None and dead > _DEAD_SLOTS and len(past) >= _FEW_LOOKS:
            why = f"{dead:.0%} of the slots are read by nobody"
            yield Diagnosis(
                name, Kind.SLOTS_DEAD, why, "use fewer fact_slots, or re-initialise the keys of the dead ones"
            )
        dead = look.value(name, "dead")
        if dead is not None and dead > _ALL_BUT_A_FEW:
            why = f"{dead:.0%} of its units let nothing through at any id"
            yield Diagnosis(name, Kind.DEAD_UNITS, why, "re-initialise `up`, lower its learning rate")


def _explosions(look: Look, past: Sequence[Look]) -> Iterator[Diagnosis]:
    logits = look.value("head", "output")
    if logits is not None and logits > _LARGEST_LOGIT:
        why = f"logits have size {logits:.0f}: the cap cuts them off and lets no gradient through"
        yield Diagnosis("head", Kind.LOGITS_SATURATED, why, "scale head.weight down, lower its learning rate")
    for name in look.parts:
        share, loudest = look.value(name, "share") or 0.0, look.value(name, "concentration") or 0.0
        usual = _usual(past, name, "share")
        if loudest > _ALL_BUT_A_FEW and share > _LOUD:
            why = f"one unit has {loudest:.0%} of its output, which is {share:.1f} times the residual stream"
            yield Diagnosis(name, Kind.OUTLIERS, why, "scale that row of its last weight down; clip more")
        elif share > _LARGEST_SHARE and (usual is None or share > _GROWTH * usual):
            why = f"it writes {share:.0f} times the residual stream"
            yield Diagnosis(name, Kind.OUTPUT_EXPLODES, why, "re-initialise its last weight, lower its learning rate")
    for name in look.parts:
        growth = _growth(look, past[-1], name, "weight") if len(past) >= _FEW_LOOKS else None
        if growth is not None and growth > _GROWTH:
            why = f"its weights are {growth:.0f} times as large as at the last look"
            yield Diagnosis(name, Kind.WEIGHTS_EXPLODE, why, "restore the last checkpoint, lower its learning rate")


def _gradients(look: Look, past: Sequence[Look]) -> Iterator[Diagnosis]:
    if len(past) < _FEW_LOOKS or look.norm == 0:
        return
    gradients = _having(look, "gradient")
    for name, gradient in gradients.items():
        if gradient == 0:
            yield Diagnosis(
                name,
                Kind.NO_GRADIENT,
                "no gradient reaches its weights",
                "look for a detached tensor, a scale of 0, or requires_grad set to False",
            )
    total = math.fsum(value**2 for value in gradients.values())
    for name, gradient in gradients.items():
        rest = math.sqrt(max(0.0, total - gradient**2))
        usual = _usual(past, name, "gradient") or 0.0
        if gradient > _DOMINANCE * rest and gradient > _GRADIENT_GROWTH * usual:
            yield Diagnosis(
                name,
                Kind.GRADIENT_DOMINATES,
                f"its gradient is {gradient / max(rest, 1e-30):.0f} times that of all others: clipping stops them",
                "lower its learning rate, or clip it by itself",
            )


RULES: Final[tuple[Rule, ...]] = (
    _not_finite,
    _nothing_to_learn,
    _recurrences,
    _readers,
    _rate_too_high,
    _rate_too_low,
    _explosions,
    _gradients,
)


def _having(look: Look, measure: str) -> dict[str, float]:
    return {name: value for name in look.parts if (value := look.value(name, measure)) is not None}


def _typical(look: Look, measure: str) -> float | None:
    """The median over components."""
    found = list(_having(look, measure).values())
    return median(found) if found else None


def _usual(past: Sequence[Look], name: str, measure: str) -> float | None:
    """The median over earlier looks, where these are enough."""
    found = [value for look in past if (value := look.value(name, measure)) is not None]
    return median(found) if len(found) >= _FEW_LOOKS else None


def _growth(look: Look, before: Look, name: str, measure: str) -> float | None:
    now, then = look.value(name, measure), before.value(name, measure)
    return now / then if now is not None and then else None
