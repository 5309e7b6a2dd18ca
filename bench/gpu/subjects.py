"""The operators that have kernels for GPUs, found in the registry, with inputs of any shape and type; judges none."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from tests.unit.trainer.ops import subjects as tested
from trainer.ops import loader
from trainer.ops.cuda.compile import has_kernels
from trainer.ops.loader import OPERATORS, Rung
from trainer.ops.selective_scan import gated, gated_torch
from trainer.ops.selective_scan.gated import gated_scan

Normal = Callable[..., Tensor]
DTYPES = {torch.float32: 1e-5, torch.bfloat16: 5e-3, torch.float16: 5e-3}  # relative RMS; gradients are narrow too
_GUARD = 64  # numbers that are no numbers, on each side of an input


@dataclass(frozen=True, slots=True)
class Subject:
    """An operator by its public function, and the truth about it by autograd over a loop in double precision."""

    name: str
    draw: Callable[..., tuple[Tensor, ...]]  # (normal, *shape) -> inputs
    narrow: tuple[int, ...]  # which inputs have the narrow type: those that run along time
    operator: Callable[..., tuple[Tensor, Tensor]]
    reference: Callable[..., tuple[Tensor, Tensor]]
    awkward: Sequence[tuple[int, ...]]
    large: tuple[int, ...]  # the shape that goals are stated for

    def inputs(self, shape: tuple[int, ...], dtype: torch.dtype, device: str, seed: int = 0) -> list[Tensor]:
        """Drawn on the device; weights and states in fp32."""
        generator = torch.Generator(device).manual_seed(seed)

        def normal(*sizes: int) -> Tensor:
            return torch.randn(*sizes, generator=generator, device=device)

        return [
            part.to(dtype if i in self.narrow else torch.float32) for i, part in enumerate(self.draw(normal, *shape))
        ]

    def learnt(self, inputs: Sequence[Tensor], above: Sequence[Tensor]) -> list[Tensor]:
        """Outputs and the gradients of all inputs."""
        leaves = [part.detach().requires_grad_() for part in inputs]
        return _learnt(self.operator(*leaves), leaves, above)

    def truth(self, inputs: Sequence[Tensor], above: Sequence[Tensor]) -> list[Tensor]:
        """The same by the loop, in double precision on the processor."""
        leaves = [part.detach().cpu().double().requires_grad_() for part in inputs]
        return _learnt(self.reference(*leaves), leaves, [part.cpu().double() for part in above])

    def above(self, inputs: Sequence[Tensor], seed: int = 1) -> list[Tensor]:
        """Gradients of the outputs, in their types."""
        with torch.no_grad():
            outputs = self.operator(*inputs)
        generator = torch.Generator(inputs[0].device).manual_seed(seed)
        return [torch.randn(part.shape, generator=generator, device=part.device).to(part.dtype) for part in outputs]


def _learnt(outputs: Sequence[Tensor], leaves: Sequence[Tensor], above: Sequence[Tensor]) -> list[Tensor]:
    return [*(part.detach() for part in outputs), *torch.autograd.grad(outputs, leaves, above)]


def all_subjects() -> list[Subject]:
    """Every operator that has kernels, and the gated scan, whose kernels are the selective scan's."""
    found = [_of_registry(tested.BY_NAME[name]) for name in OPERATORS if has_kernels(name)]
    return [*found, _gated()] if has_kernels("selective_scan") else found


def emulate() -> None:
    """From now on tensors on the processor are computed by the kernels' own sources, compiled for the host."""

    def rung_for(operator: str, sample: Tensor) -> Rung:
        return Rung.CUDA if has_kernels(operator) and sample.dtype is not torch.float64 else Rung.CHUNK

    loader.rung_for = rung_for
    gated._as_one_operator = lambda _u: True  # noqa: SLF001  # as on a GPU


def guarded(part: Tensor) -> tuple[Tensor, Tensor]:
    """The same numbers between numbers that are none, and all of that memory: reading beyond an end is then seen."""
    room = torch.full((part.numel() + 2 * _GUARD,), torch.nan, dtype=part.dtype, device=part.device)
    inside = room[_GUARD : _GUARD + part.numel()].view(part.shape)
    return inside.copy_(part), room


def untouched(room: Tensor) -> bool:
    """Whether nothing was written around."""
    return bool(room[:_GUARD].isnan().all() and room[-_GUARD:].isnan().all())


@contextmanager
def poisoned() -> Iterator[None]:
    """Fresh memory is full of NaN: a result that is not written, or read before it is, is then seen."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def relative_rms(found: Tensor, wanted: Tensor) -> float:
    """Root mean square of the difference over that of what is wanted; 0 for no numbers."""
    return tested.relative_rms(found.cpu(), wanted) if wanted.numel() else 0.0


_LARGE = {
    "selective_scan": (8, 2048, 1536, 16),
    "ssd": (8, 2048, 64, 64),
    "causal_conv": (8, 2048, 1536, 3),
    "wkv6": (8, 4096, 64, 64),
    "wkv7": (8, 4096, 64, 64),
}


def _of_registry(known: tested.Subject) -> Subject:
    reference = importlib.import_module(f"trainer.ops.{known.name}.ref").forward
    return Subject(
        known.name,
        known.inputs,
        known.time_inputs,
        known.operator,
        lambda *inputs: reference(*inputs)[:2],
        [*known.shapes(24), *_edges(known.width_count)],
        _LARGE.get(known.name, (8, 1024, *[64] * known.width_count)),
    )


def _edges(widths: int) -> list[tuple[int, ...]]:
    """One step, one off a chunk or a warp of channels, several segments."""
    sizes = [1, 31, 33, 64]
    return [
        (1, length, *[width] * widths)
        for (length, _), width in zip(pairwise([1, 127, 129, 300, 0]), sizes, strict=True)
    ]


def _gated() -> Subject:
    bare = tested.BY_NAME["selective_scan"]

    def draw(normal: Normal, batch: int, length: int, channels: int, states: int) -> tuple[Tensor, ...]:
        u, _, a, b, c, initial_state = bare.inputs(normal, batch, length, channels, states)
        gate = normal(batch, length, channels)
        delta = normal(batch, length, channels) - 2
        return u, delta, a, b, c, normal(channels), gate, normal(channels), initial_state

    def begins(u: Tensor) -> Tensor:
        marked = torch.zeros(u.shape[:2], dtype=torch.bool, device=u.device)
        marked[:, 7::40] = True
        return marked

    def operator(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        u, delta, a, b, c, skip, gate, bias, state = inputs
        return gated_scan(*(u, delta, a, b, c), skip=skip, gate=gate, bias=bias, initial_state=state, begins=begins(u))

    return Subject(
        "gated_scan",
        draw,
        (0, 1, 3, 4, 6),
        operator,
        lambda *inputs: gated_torch.composed(inputs, begins(inputs[0])),
        [*bare.shapes(24), *_edges(2)],
        _LARGE["selective_scan"],
    )
