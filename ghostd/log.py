"""Structured logs: one event with a stable dotted name and flat fields per line. Configured by the CLI alone."""

import logging
import sys
from typing import Any, TextIO

import structlog


def logger(name: str) -> Any:
    """A logger bound to the part of ghostd that speaks: `logger("cycles").info("crystal.stored", crystal=id)`."""
    return structlog.get_logger(part=name)


def configure(*, level: str = "info", json_lines: bool = False, stream: TextIO | None = None) -> None:
    """Send events at or above `level` to `stream` (stderr by default), as text or as JSON lines."""
    stream = stream or sys.stderr
    renderer: Any = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=28)
    )
    numeric = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    # libraries speak through the standard module; only their warnings are of interest here
    logging.basicConfig(level=logging.WARNING, stream=stream, format="%(asctime)s [%(levelname)s] %(name)s %(message)s")
