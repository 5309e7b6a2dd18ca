"""Times the operators' implementations side by side, forward and backward; what is not exact enough is not timed.

The gate: outputs and all gradients within 1e-5 relative RMS of the double-precision loop, on a quarter of the batch.
The implementations take turns, so that a busy moment meets all of them; the figure is the least of the turns (the two
loops take seconds and have one turn). Prints a table and one line of JSON.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from trainer.ops import build, loader
from trainer.processor import prepare_processor

GATE = 1e-5
_SLOW = ("ref", "eager loop with autograd")


@dataclass(frozen=True, slots=True)
class Case:
    """An operator at one size."""

    operator: str
    size: str
    inputs: tuple[Tensor, ...]


def cases() -> list[Case]:
    """The sizes that the trainer's goals are stated for."""
    generator = torch.Generator().manual_seed(0)

    def normal(*sizes: int) -> Tensor:
        return torch.randn(*sizes, generator=generator)

    batch, length, channels, states, heads, width, taps = 8, 256, 512, 16, 8, 64, 4
    scan = (
        normal(batch, length, channels),
        softplus(normal(batch, length, channels) - 2),
        -torch.arange(1.0, states + 1).repeat(channels, 1),
        normal(batch, length, states),
        normal(batch, length, states),
        normal(batch, channels, states),
    )
    r, k, v, raw = (normal(batch, length, heads, width) for _ in range(4))
    wkv = (r, k, v, -torch.exp(raw - 1), normal(heads, width), normal(batch, heads, width, width))
    found = normal(batch, length, heads, width)
    a = -found / found.norm(dim=-1, keepdim=True)
    state = normal(batch, heads, width, width)
    wkv7 = (r, k, v, -torch.exp(-0.5 - softplus(raw)), a, -a * torch.sigmoid(normal(*a.shape)), state)
    conv = (
        normal(batch, length, channels),
        normal(taps, channels),
        normal(channels),
        normal(batch, taps - 1, channels),
    )
    ssd = (
        normal(batch, length, heads, width),
        softplus(normal(batch, length, heads) - 2),
        -torch.arange(1.0, heads + 1),
        normal(batch, length, 1, states),
        normal(batch, length, 1, states),
        normal(batch, heads, width, states),
    )
    return [
        Case("selective_scan", "B8 L256 D512 N16", scan),
        Case("wkv6", "B8 L256 H8 K64 V64", wkv),
        Case("wkv7", "B8 L256 H8 K64 V64", wkv7),
        Case("ssd", "B8 L256 H8 P64 N16", ssd),
        Case("causal_conv", "B8 L256 D512 T4", conv),
    ]


Run = Callable[[Sequence[Tensor]], list[Tensor]]


def _by_hand(operator: str, file: str) -> Run:
    module: loader.Implementation = importlib.import_module(f"trainer.ops.{operator}.{file}")

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        found = module.forward(*inputs)
        grads = module.backward(torch.ones_like(found[0]), torch.ones_like(found[1]), *inputs, *found[2:])
        return [*found[:2], *grads]

    return run


def _by_autograd(operator: str) -> Run:
    module: loader.Implementation = importlib.import_module(f"trainer.ops.{operator}.ref")

    def run(inputs: Sequence[Tensor]) -> list[Tensor]:
        leaves = [part.detach().requires_grad_() for part in inputs]
        found = module.forward(*leaves)[:2]
        grads = torch.autograd.grad(found, leaves, [torch.ones_like(part) for part in found])
        return [*(part.detach() for part in found), *grads]

    return run


def _runs(operator: str) -> dict[str, Run]:
    found = {"chunk": _by_hand(operator, "chunk"), "ref": _by_hand(operator, "ref"), _SLOW[1]: _by_autograd(operator)}
    native = loader.choice(operator)
    if native.rung is loader.Rung.NATIVE:
        return {"native": _by_hand(operator, "cpu"), **found}
    return found


def errors(runs: dict[str, Run], case: Case) -> dict[str, float]:
    """For each implementation the worst relative RMS error over outputs and gradients, on a quarter of the batch."""
    weights = len("DN")  # what has more dimensions than a weight has a batch
    inputs = [part[: len(part) // 4] if part.ndim > weights else part for part in case.inputs]
    wanted = _by_hand(case.operator, "ref")([part.double() for part in inputs])
    return {
        name: max(
            float((one.double() - other).square().sum().sqrt() / other.square().sum().sqrt())
            for one, other in zip(run(inputs), wanted, strict=True)
        )
        for name, run in runs.items()
    }


def _milliseconds(run: Run, inputs: Sequence[Tensor]) -> float:
    start = time.perf_counter()
    run(inputs)
    return 1e3 * (time.perf_counter() - start)


def main(repetitions: int, *, loops: bool = True) -> int:
    """Prints the table; returns 1 where an implementation fails the gate."""
    prepare_processor()
    rows = []
    for case in cases():
        runs = {name: run for name, run in _runs(case.operator).items() if loops or name not in _SLOW}
        found = errors(runs, case)
        right = {name: run for name, run in runs.items() if found[name] <= GATE}
        times: dict[str, list[float]] = {name: [] for name in runs}
        for turn in range(repetitions):
            for name, run in right.items():
                if name not in _SLOW or turn == 0:
                    times[name].append(_milliseconds(run, case.inputs))
        rows += [
            {
                "operator": case.operator,
                "size": case.size,
                "implementation": name,
                "milliseconds": round(min(times[name]), 2) if times[name] else None,
                "error": float(f"{found[name]:.1e}"),
            }
            for name in runs
        ]
    load = os.getloadavg()[0]
    lines = [f"{'operator':<16}{'size':<22}{'implementation':<28}{'fwd+bwd ms':>12}{'rel. RMS':>12}"]
    lines += [
        f"{row['operator']:<16}{row['size']:<22}{row['implementation']:<28}"
        f"{'GATE' if row['milliseconds'] is None else row['milliseconds']:>12}{row['error']:>12}"
        for row in rows
    ]
    facts = {"threads": torch.get_num_threads(), "instructions": build.instruction_set(), "load": round(load, 2)}
    lines.append(json.dumps({"rows": rows, **facts}))
    sys.stdout.write("\n".join(lines) + "\n")
    return int(any(row["milliseconds"] is None for row in rows))
