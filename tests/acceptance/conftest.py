"""The real process, on a data directory of its own."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.process import Ghostd


@pytest.fixture
def ghostd() -> Iterator[Ghostd]:
    """A ghostd with the textbook teacher; whatever it started has ended afterwards.

    Its directory may be entered by every account, unlike `tmp_path`: root's Postgres runs as another one, and would
    otherwise keep its cluster elsewhere, where nothing removes it.
    """
    folder = Path(tempfile.mkdtemp(prefix="ghostd-acceptance-"))
    folder.chmod(0o755)
    one = Ghostd(folder / "data")
    yield one
    one.close()
    shutil.rmtree(folder)
