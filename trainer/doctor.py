"""`python -m trainer doctor`: says which rung each operator stands on here and what changes it; it mends nothing."""

import sys

import torch

from trainer.ops import build, loader
from trainer.ops.cuda.compile import has_kernels, supply


def main() -> int:
    """Prints the findings; returns 0, for a slower rung is no failure."""
    lines = [
        f"torch: {torch.__version__}, {torch.get_num_threads()} threads",
        f"compiler: {build.compiler() or 'none found (install gcc, or name one in CC)'}",
        f"instruction set: {build.instruction_set()} ({build.INSTRUCTION_SET_VARIABLE} forces one)",
        f"library cache: {build.cache_folder()} ({build.CACHE_VARIABLE} moves it)",
        f"denormals: {'flushed' if loader.flushes_denormals() else 'kept'} ({loader.DENORMALS_VARIABLE}=0 keeps them)",
    ]
    for operator in (*loader.OPERATORS, *loader.FUSED):
        choice = loader.choice(operator)
        lines.append(f"{operator}: {choice.rung} - {choice.reason}")
    if torch.cuda.is_available():
        capability = torch.cuda.get_device_capability()
        lines.append(f"GPU: {torch.cuda.get_device_name()}, compute capability {capability[0]}.{capability[1]}")
        for operator in loader.OPERATORS:
            choice = loader.choice_on_gpu(operator, capability)
            lines.append(f"{operator} on the GPU: {choice.rung} - {choice.reason}")
    else:
        lines.append("GPU: none that torch can use")
        lines += [
            f"{operator} on a GPU: {supply(operator) if has_kernels(operator) else 'torch, for it has no kernels yet'}"
            for operator in loader.OPERATORS
        ]
    lines.append(f"{loader.RUNG_VARIABLE}=ref|chunk|native|cuda forces a rung")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
