"""How fast the operators are: against torch's own forms, other people's kernels, and what the device can do at most."""

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from bench.gpu.report import Row, measured, missing
from bench.gpu.subjects import Subject, all_subjects, relative_rms
from trainer.ops.loader import Implementation

_TURNS = 20
_SLOW_SECONDS = 0.5  # what takes longer is run once
_EXACT = 1e-2  # relative RMS in bf16, or a rival is not timed


@dataclass(frozen=True, slots=True)
class Roofline:
    """What this device was just measured to do."""

    bytes_per_second: float
    exponentials_per_second: float

    def seconds(self, moved: int, exponentials: int) -> float:
        """The least that so much work takes, if it overlaps."""
        return max(moved / self.bytes_per_second, exponentials / self.exponentials_per_second)


def milliseconds(run: Callable[[], object], device: str, turns: int = _TURNS) -> float:
    """The median of the turns after three warm ones, or one turn of what is slow."""
    began = time.perf_counter()
    run()
    _wait(device)
    if time.perf_counter() - began > _SLOW_SECONDS and turns > 1:
        turns, warm = 1, 0
    else:
        warm = 3
    for _ in range(warm):
        run()
    times = sorted(_timed(run, device) for _ in range(turns))
    return times[len(times) // 2]


def _timed(run: Callable[[], object], device: str) -> float:
    if device != "cuda":
        began = time.perf_counter()
        run()
        return 1e3 * (time.perf_counter() - began)
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    before.record()
    run()
    after.record()
    after.synchronize()
    return float(before.elapsed_time(after))


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def roofline(device: str, size: int) -> Roofline:
    """Bytes moved and powers of two taken a second, by our own kernels over `size` numbers."""
    from bench.gpu import probes

    source, target = torch.rand(size, device=device), torch.empty(size, device=device)
    copying = milliseconds(lambda: probes.copy(source, target), device)
    powers = milliseconds(lambda: probes.exponentials(source, target), device)
    return Roofline(8e3 * size / copying, 1e3 * probes.EXPONENTIALS * size / powers)


def timings(device: str, scale: int = 1) -> Iterator[Row]:
    """Each operator in bf16 at the size of its goal, divided by `scale`."""
    limits = None
    try:
        limits = roofline(device, (1 << 28) // scale**2)
        seen = (
            f"{limits.bytes_per_second / 1e12:.2f} TB/s copied, {limits.exponentials_per_second / 1e12:.2f} T powers/s"
        )
        figures = {"bytes": limits.bytes_per_second, "powers": limits.exponentials_per_second}
        yield measured("device", "roofline", seen, **figures)
    except (ImportError, RuntimeError) as error:  # without a GPU Triton finds no driver
        yield missing("device", "roofline", f"{error}")
    for subject in all_subjects():
        shape = (
            subject.large[0],
            max(16, subject.large[1] // scale),
            max(4, subject.large[2] // scale),
            subject.large[3],
        )
        yield from _of_subject(subject, shape, device, limits)


def _of_subject(subject: Subject, shape: tuple[int, ...], device: str, limits: Roofline | None) -> Iterator[Row]:
    inputs = subject.inputs(shape, torch.bfloat16, device)
    above = subject.above(inputs)
    leaves = [part.clone().requires_grad_() for part in inputs]
    with torch.no_grad():
        ours = milliseconds(lambda: subject.operator(*inputs), device)
    both = milliseconds(lambda: torch.autograd.grad(subject.operator(*leaves), leaves, above), device)
    seen, figures = f"{ours:.3f} ms forward, {both:.3f} ms both", {"forward": ours, "both": both}
    if limits:
        read, written = (sum(part.nbytes for part in some) for some in (inputs, above))
        powers = inputs[0].numel() * shape[-1] if "scan" in subject.name else 0
        least = 1e3 * limits.seconds(read + written, powers)
        least_backward = 1e3 * limits.seconds(2 * read + written, powers)
        figures |= {"roofline_forward": least / ours, "roofline_backward": least_backward / max(both - ours, 1e-6)}
        seen += f"; of the roofline {100 * figures['roofline_forward']:.0f} % forward, "
        seen += f"{100 * figures['roofline_backward']:.0f} % backward"
    yield measured(subject.name, f"time at {shape}", seen, **figures)
    yield from _rivals(subject, inputs, above, device, (ours, both))


def _rivals(
    subject: Subject, inputs: Sequence[Tensor], above: Sequence[Tensor], device: str, ours: tuple[float, float]
) -> Iterator[Row]:
    """A line for each; one that is not here, or fails, says why and leaves the others alone."""
    wide, grads = [part.float() for part in inputs], [part.float() for part in above]
    rivals: list[tuple[str, float, Callable[[], Callable[[], object]]]] = []  # name, our figure, what makes it ready
    if subject.name != "gated_scan":
        chunk, loop = (importlib.import_module(f"trainer.ops.{subject.name}.{file}") for file in ("chunk", "ref"))
        rivals += [
            ("chunk (torch)", ours[1], lambda: lambda: _by_hand(chunk, wide, grads)),
            ("loop (torch)", ours[1], lambda: lambda: _by_hand(loop, wide, grads)),
            ("torch.compile of chunk, forward", ours[0], lambda: partial(torch.compile(chunk.forward), *wide)),
        ]
    if subject.name == "selective_scan":
        rivals.append(("Triton's associative scan, forward", ours[0], lambda: _triton(subject, inputs)))
        rivals.append(("mamba-ssm", ours[1], lambda: _mamba_ssm(inputs, above)))
    if subject.name in {"wkv6", "wkv7"}:
        name = "flash-linear-attention, forward"
        rivals.append((name, ours[0], lambda: _flash_linear_attention(subject.name, inputs)))
    for name, mine, prepare in rivals:
        try:
            theirs = milliseconds(prepare(), device)
        except Exception as error:  # noqa: BLE001  # whatever other people's code fails with is a finding
            yield missing(subject.name, f"against {name}", f"{type(error).__name__}: {error}")
            continue
        figures = {"theirs": theirs, "times": theirs / mine}
        yield measured(subject.name, f"against {name}", f"{theirs:.3f} ms: {theirs / mine:.1f} times ours", **figures)


def _by_hand(module: Implementation, inputs: Sequence[Tensor], above: Sequence[Tensor]) -> object:
    found = module.forward(*inputs)
    return module.backward(above[0], above[1], *inputs, *found[2:])


def _triton(subject: Subject, inputs: Sequence[Tensor]) -> Callable[[], object]:
    from bench.gpu import probes

    u, delta, a, b, c, state = inputs
    wanted, _ = subject.operator(u, delta, a, b, c, torch.zeros_like(state))
    error = relative_rms(probes.associative_scan(u, delta, a, b, c), wanted.cpu().double())
    if not error <= _EXACT:
        raise ValueError(f"it is wrong by {error:.1e}, and is not timed")
    return lambda: probes.associative_scan(u, delta, a, b, c)


def _mamba_ssm(inputs: Sequence[Tensor], above: Sequence[Tensor]) -> Callable[[], object]:
    from mamba_ssm.ops.selective_scan_interface import selective_scan_fn  # type: ignore[import-not-found]

    u, delta, a, b, c, _ = inputs
    leaves = [part.transpose(1, 2).contiguous().requires_grad_() for part in (u, delta, b, c)]
    rates = a.clone().requires_grad_()
    upstream = above[0].transpose(1, 2).contiguous()

    def run() -> object:
        y = selective_scan_fn(leaves[0], leaves[1], rates, leaves[2], leaves[3])
        return torch.autograd.grad(y, [*leaves, rates], upstream)

    return run


def _flash_linear_attention(name: str, inputs: Sequence[Tensor]) -> Callable[[], object]:
    if name == "wkv6":
        from fla.ops.rwkv6 import chunk_rwkv6  # type: ignore[import-not-found]

        r, k, v, log_decay, bonus, _ = inputs
        return lambda: chunk_rwkv6(r, k, v, log_decay, bonus.to(r.dtype))
    from fla.ops.rwkv7 import chunk_rwkv7  # type: ignore[import-not-found]

    r, k, v, log_decay, a, b, _ = inputs
    return lambda: chunk_rwkv7(r, log_decay, k, v, a, b)
