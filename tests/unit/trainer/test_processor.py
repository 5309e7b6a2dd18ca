"""A prepared process takes denormal numbers for zero in all of torch's threads, unless the environment objects."""

import os
import subprocess
import sys

import pytest

from trainer.ops import loader

SCRIPT = """
import torch
from trainer.processor import prepare_processor
torch.set_num_threads(2)
prepare_processor()
print(int((torch.full((1 << 20,), 1e-39) * 1.0).count_nonzero()))  # shared out among torch's threads
"""


@pytest.mark.parametrize(("setting", "left"), [("1", 0), ("0", 1 << 20)])
def test_denormals_are_zero_before_any_operator_ran(setting: str, left: int) -> None:
    environment = {**os.environ, loader.DENORMALS_VARIABLE: setting}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True, capture_output=True, text=True)
    assert int(done.stdout) == left
