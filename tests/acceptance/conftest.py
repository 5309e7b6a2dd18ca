"""The real process, on a data directory of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.process import Ghostd


@pytest.fixture
def ghostd(tmp_path: Path) -> Iterator[Ghostd]:
    """A ghostd with the textbook teacher; whatever it started has ended afterwards."""
    one = Ghostd(tmp_path / "data")
    yield one
    one.close()
