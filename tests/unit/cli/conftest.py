"""The commands set up the log of the whole process; afterwards it is as it was."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def log_of_ones_own() -> Iterator[None]:
    before = list(logging.root.handlers)
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = before
