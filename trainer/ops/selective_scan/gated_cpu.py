"""The gated scan in C on the processor: makes room for the results and calls native.c; fp32 inside.

Sequences of bfloat16 are read and written as they are; of other types, and of several, copies are made in fp32.
"""

import torch
from torch import Tensor

from trainer.ops import native
from trainer.ops.selective_scan import CHUNK
from trainer.ops.selective_scan.cpu import sizes_of

_ORDER = (0, 1, 2, 3, 4, 8, 5, 6, 7)  # of the operator's inputs, as native.c takes them
_WIDE = (0, 1, 6)  # the places in the operator's order of the long sequences: u, delta and gate
_GATE = _ORDER.index(6)  # the gate's place as native.c takes it


def _described(inputs: tuple[Tensor | None, ...]) -> tuple[list[Tensor], tuple[int, ...]]:
    """The tensors that native.c reads, and the sizes; no beginnings are an empty tensor."""
    given = [part for part in inputs[: len(_ORDER)] if part is not None]
    narrow = all(given[place].dtype is torch.bfloat16 for place in _WIDE)
    given = [part if narrow and place in _WIDE else part.float() for place, part in enumerate(given)]
    tensors = [given[place] for place in _ORDER]
    gate, row = native.in_rows(tensors[_GATE])
    tensors = [gate if place == _GATE else part.contiguous() for place, part in enumerate(tensors)]
    begins = inputs[len(_ORDER)] if len(inputs) > len(_ORDER) else None
    marks = torch.empty(0, dtype=torch.bool) if begins is None else begins.contiguous()
    return [*tensors, marks], (*sizes_of(given[0], given[2]), int(narrow), row)


def forward(*inputs: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """y, the final state and the checkpoints; the inputs in the operator's order, `begins` last."""
    tensors, sizes = _described(inputs)
    u, state = tensors[0], tensors[5]
    batch, length, channels, states, *_ = sizes
    y, final = torch.empty_like(u), torch.empty_like(state)
    checkpoints = state.new_empty(batch, -(-length // CHUNK), states, channels)
    native.call("selective_scan", "forward_gated", tensors, (y, final, checkpoints), sizes)
    return y if inputs[0] is None else y.to(inputs[0].dtype), final, checkpoints


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor | None) -> tuple[Tensor, ...]:
    """The gradients of the nine inputs; `saved` are the inputs and the checkpoints."""
    *inputs, checkpoints = saved
    tensors, sizes = _described(tuple(inputs))
    u, state = tensors[0], tensors[5]
    batch, length, channels, states, groups, *_ = sizes
    results = [part.new_empty(part.shape) for part in tensors[: len(_ORDER)]]
    parts = (
        state.new_empty(batch, channels, states),
        *(state.new_empty(groups, batch, length, states) for _ in "bc"),
        *(state.new_empty(batch, channels) for _ in ("skip", "bias")),
    )
    above = [grad_y.to(u.dtype).contiguous(), grad_final.float().contiguous()]
    if checkpoints is not None:
        above.append(checkpoints.contiguous())
    native.call("selective_scan", "backward_gated", (*tensors, *above), (*results, *parts), sizes)
    found = [results[_ORDER.index(place)] for place in range(len(_ORDER))]
    return tuple(part if like is None else part.to(like.dtype) for part, like in zip(found, inputs, strict=False))
