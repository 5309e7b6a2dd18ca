"""Sets this process up for long computations on a processor: what training, benchmarks and probes begin with."""

from trainer.allocation import keep_freed_memory
from trainer.ops import loader


def prepare_processor() -> None:
    """Memory that a step frees stays for the next one, and denormal numbers are zero unless the environment objects.

    Decaying gradients underflow, which makes products of matrices many times slower.
    """
    keep_freed_memory()
    loader.flush_denormals()
