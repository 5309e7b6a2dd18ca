"""The loss on held-out rows, in nats for each id and in bits for each byte; it decides nothing."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from trainer.data import Batch
from trainer.model import LanguageModel


@dataclass(frozen=True, slots=True)
class Score:
    """What the model pays for the text."""

    loss: float  # nats for each id that is predicted
    bits_per_byte: float  # all nats, special ids' too, for each byte: the honest figure against other vocabularies


def weighted_loss(logits: Tensor, batch: Batch) -> Tensor:
    """The sum of the nats of all weighted targets, in fp32."""
    nats = functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), reduction="none")
    return (nats * batch.weights.flatten()).sum()


@torch.inference_mode()
def evaluate(
    model: LanguageModel, batches: Sequence[Batch], device: torch.device, precision: AbstractContextManager[object]
) -> Score:
    """The score over all batches."""
    nats = ids = learnt_bytes = 0.0
    with precision:
        for held_out in batches:
            batch = held_out.to(device)
            logits, _ = model(batch.ids, batch.segments)
            nats += float(weighted_loss(logits, batch))
            ids += float(batch.weights.sum())
            learnt_bytes += batch.learnt_bytes()
    return Score(nats / max(1.0, ids), nats / math.log(2) / max(1.0, learnt_bytes))
