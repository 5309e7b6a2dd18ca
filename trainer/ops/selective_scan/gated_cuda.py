"""The gated scan by the scan's own kernels; more states than they have room for are computed in torch."""

from torch import Tensor

from trainer.ops.selective_scan import gated_torch
from trainer.ops.selective_scan.cuda import MOST_STATES, Gating, run_backward, run_forward


def _parted(*inputs: Tensor | None) -> tuple[tuple[Tensor, ...], Gating]:
    """The bare scan's six inputs, and what is done around them."""
    u, delta, a, b, c, skip, gate, bias, initial_state = (part for part in inputs[:9] if part is not None)
    begins = inputs[9] if len(inputs) > 9 else None  # noqa: PLR2004  # torch leaves a missing last input out
    if gate.stride(-1) != 1 or gate.stride(0) != gate.shape[1] * gate.stride(1):
        gate = gate.contiguous()
    marked = None if begins is None else begins.bool().contiguous()
    return (u, delta, a, b, c, initial_state), Gating(skip.contiguous(), gate, bias.contiguous(), marked)


def forward(*inputs: Tensor | None) -> tuple[Tensor, ...]:
    """Gives y, the final state, and the state before each chunk; the inputs in the operator's order, `begins` last."""
    scanned, gating = _parted(*inputs)
    if scanned[2].shape[1] > MOST_STATES:
        return gated_torch.forward(*inputs)
    return run_forward(scanned, gating)


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor | None) -> tuple[Tensor, ...]:
    """The gradients of the nine inputs; `saved` are the inputs and the checkpoints."""
    *inputs, checkpoints = saved
    scanned, gating = _parted(*inputs)
    if scanned[2].shape[1] > MOST_STATES or checkpoints is None:
        return gated_torch.backward(grad_y, grad_final, *saved)
    found = run_backward(grad_y.to(scanned[0].dtype), grad_final.float(), (*scanned, checkpoints), gating)
    *bare, grad_initial, grad_skip, grad_gate, grad_bias = found
    return *bare, grad_skip, grad_gate, grad_bias, grad_initial
