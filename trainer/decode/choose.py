"""Which decoder a model gets: compiled where that can be had and says what the model says, else eager, and why."""

import logging
from typing import Final, Literal

import numpy as np

from trainer.decode.compiled import CompiledDecoder, Weights
from trainer.decode.decoder import Decoder
from trainer.decode.eager import EagerDecoder
from trainer.decode.program import NotPlanned
from trainer.model import LanguageModel
from trainer.ops import build

Choice = Literal["auto", "float32", "int8", "eager"]

CLOSE: Final = 1e-3  # logits of fp32 that may lie between the two, of logits that are seldom above 15
_PROBED: Final = 12  # ids that are read one by one, after others together

_log = logging.getLogger(__name__)


def decoder_for(model: LanguageModel, choice: Choice = "auto", threads: int | None = None) -> Decoder:
    """The fastest decoder that computes what the model computes.

    Args:
        model: on the processor for compiled ones.
        choice: "auto" is int8 weights; what cannot be compiled is decoded eagerly, which a warning tells. Facts that
            were written into a model are found by what its fp32 weights know, so it keeps these.
        threads: of a compiled decoder; None for torch's number.

    """
    if choice == "eager":
        return EagerDecoder(model)
    weights: Weights = "float32" if choice == "float32" or model.recall is not None else "int8"
    try:
        if model.head.weight.device.type != "cpu":
            raise NotPlanned("it is on a device of its own")  # noqa: TRY301  # one place says why
        if (apart := _difference(model)) > CLOSE:
            raise NotPlanned(f"its compiled form differs by {apart:.1e}")  # noqa: TRY301  # as above
        return CompiledDecoder(model, weights, threads)
    except (NotPlanned, build.BuildError) as error:
        _log.warning("The model is decoded eagerly: %s.", error)
        return EagerDecoder(model)


def _difference(model: LanguageModel) -> float:
    """How far the compiled form's logits lie from the model's over a few ids: a layer may have changed."""
    count = 2 * model.shape.stride + _PROBED  # enough for landmarks to be seen
    ids = np.random.default_rng(0).integers(0, model.shape.vocabulary, count + _PROBED)
    parts = np.split(ids, range(count, count + _PROBED))
    recall, model.recall = model.recall, None  # a recall would be counted, and is not compiled
    try:
        compiled, eager = CompiledDecoder(model), EagerDecoder(model)
        first, second = compiled.begin(), eager.begin()
        return max(float(np.abs(compiled.read(first, part) - eager.read(second, part)).max()) for part in parts)
    finally:
        model.recall = recall
