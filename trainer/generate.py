"""Text from a trained model, byte by byte in constant memory; it neither trains nor serves."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from trainer import checkpoint
from trainer.bytes import ASSISTANT, BOUNDARY, BYTES, USER, Ids, encode
from trainer.config import RunConfig
from trainer.errors import CheckpointError
from trainer.model import LanguageModel
from trainer.sampling import Sampling, choose
from trainer.shape import shape_of

_PREFILL: Final = 256  # ids of the prompt in one forward pass


def load_model(run_folder: Path, name: checkpoint.Name = "best") -> tuple[LanguageModel, RunConfig]:
    """The run's best model, or its last one where none was best yet. Raises CheckpointError when there is none."""
    folder = run_folder / "checkpoints"
    saved = checkpoint.load(folder, name if checkpoint.exists(folder, name) else "last")
    model = LanguageModel(shape_of(saved.run.model, saved.run.data.context))
    try:
        model.load_state_dict(saved.model)
    except RuntimeError as error:
        raise CheckpointError(f"{folder} holds another model's weights; train it anew.") from error
    return model.eval(), saved.run


def prompt_ids(text: bytes, *, chat: bool) -> Ids:
    """A document that begins with `text`, or a conversation in which it is asked and the answer begins."""
    before, after = ([BOUNDARY, USER], [ASSISTANT]) if chat else ([BOUNDARY], [])
    return np.concatenate([np.array(before, np.uint16), encode(text), np.array(after, np.uint16)])


@torch.inference_mode()
def generate(
    model: LanguageModel,
    prompt: Ids,
    *,
    most: int,
    sampling: Sampling,
    seed: int,
    stops: Sequence[bytes] = (),
) -> Iterator[int]:
    """The bytes after the prompt, each as soon as it is certain that it is before a stop.

    It ends at the model's boundary, before the first of `stops`, or after `most` bytes. What is kept is
    the model's state, which does not grow: a window of attention, or the states of recurrent layers.
    """
    device = model.head.weight.device
    generator = torch.Generator(device=device).manual_seed(seed)
    state = model.initial_state(1)
    ids = torch.from_numpy(prompt.astype(np.int64))[None].to(device)
    for start in range(0, ids.shape[1], _PREFILL):
        rows, state = model(ids[:, start : start + _PREFILL], None, state)
    logits = rows[:, -1]
    held = bytearray()  # may be the beginning of a stop
    for _ in range(most):
        chosen = choose(logits, sampling, generator)
        if int(chosen) >= BYTES:
            break
        held.append(int(chosen))
        if any(held.endswith(stop) for stop in stops if stop):
            yield from held[: min(held.find(stop) for stop in stops if stop and stop in held)]
            return
        certain = len(held) - _beginning_of_stop(bytes(held), stops)
        yield from held[:certain]
        del held[:certain]
        logits, state = model.step(chosen, state)
    yield from held


def _beginning_of_stop(text: bytes, stops: Sequence[bytes]) -> int:
    """How many of the last bytes of `text` may turn out to be a stop."""
    return max(
        (size for stop in stops for size in range(1, min(len(stop), len(text) + 1)) if text.endswith(stop[:size])),
        default=0,
    )
