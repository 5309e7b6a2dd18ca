"""Is every operator right: on awkward shapes, in every type, over runs, compiled, and on foreign memory."""

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.gpu.report import Row, judged
from bench.gpu.subjects import DTYPES, Subject, all_subjects, guarded, poisoned, relative_rms, untouched

_RUNS = 20


def agreement(device: str) -> Iterator[Row]:
    """Against the loop in double precision, with memory full of NaN around the inputs and in the outputs."""
    for subject in all_subjects():
        for dtype, limit in DTYPES.items():
            worst, at, touched = 0.0, "", 0
            for number, shape in enumerate(subject.awkward):
                error, clean = _error(subject, shape, dtype, device, number)
                touched += not clean
                if not error <= worst:
                    worst, at = error, f"{shape}"
            seen = f"{len(subject.awkward)} shapes, worst {worst:.1e} at {at}, limit {limit:.0e}"
            if touched:
                seen += f"; wrote beside an input in {touched} shapes"
            yield judged(subject.name, f"agrees, {dtype}", worst <= limit and not touched, seen, error=worst)


def _error(subject: Subject, shape: tuple[int, ...], dtype: torch.dtype, device: str, seed: int) -> tuple[float, bool]:
    kept = [guarded(part) for part in subject.inputs(shape, dtype, device, seed)]
    inputs = [inside for inside, _ in kept]
    above = subject.above(inputs)
    with poisoned():
        found = subject.learnt(inputs, above)
    wanted = subject.truth(inputs, above)
    worst = max(relative_rms(one, other) for one, other in zip(found, wanted, strict=True))
    return worst, all(untouched(room) for _, room in kept)


def determinism(device: str) -> Iterator[Row]:
    """The same bits in every run."""
    for subject in all_subjects():
        for dtype in (torch.float32, torch.bfloat16):
            widths = [one if device == "cuda" else min(one, 40) for one in subject.large[2:]]
            inputs = subject.inputs((3, 200, *widths), dtype, device)
            above = subject.above(inputs)
            first = subject.learnt(inputs, above)
            equal = sum(_equal(first, subject.learnt(inputs, above)) for _ in range(_RUNS))
            yield judged(subject.name, f"repeats, {dtype}", equal == _RUNS, f"{equal} of {_RUNS} runs equal bit by bit")


def compiled(device: str) -> Iterator[Row]:
    """By torch.compile as a whole graph, gradients included; and torch's own checks of the operator's registration."""
    for subject in all_subjects():
        inputs = subject.inputs((2, 70, *[16] * (len(subject.large) - 2)), torch.float32, device)
        above = subject.above(inputs)

        def loss(*leaves: Tensor, subject: Subject = subject, above: list[Tensor] = above) -> Tensor:
            return sum((part * weight).sum() for part, weight in zip(subject.operator(*leaves), above, strict=True))

        def gradients(function: object, inputs: list[Tensor] = inputs) -> tuple[Tensor, ...]:
            leaves = [part.detach().requires_grad_() for part in inputs]
            assert callable(function)
            return torch.autograd.grad(function(*leaves), leaves)

        torch.compiler.reset()
        backend = "inductor" if device == "cuda" else "aot_eager"
        found = gradients(torch.compile(loss, fullgraph=True, backend=backend))
        wanted = [part.cpu().double() for part in gradients(loss)]
        worst = max(relative_rms(one, other) for one, other in zip(found, wanted, strict=True))
        yield judged(subject.name, "compiles as a whole graph", worst <= 1e-5, f"{worst:.1e} from eager", error=worst)


def _equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))
