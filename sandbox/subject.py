"""The process of the code under test: loads the code, then answers calls; it judges nothing and is believed in nothing.

Whatever it sends is only ever read as data: a loaded notice, a canonical value or the name of an exception.
"""

from __future__ import annotations

import io
import json
import os
import sys
import types

import channel
import determinism
from canonical import NotCanonical, decode, encode

TYPE_CHECKING = False  # for checkers alone: typing would cost each start milliseconds and each fork its pages
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

MESSAGE_CAP = 2000  # characters of an exception's message that leave the process
SOURCE_NAME = "<lesson>"
_CALL_CAP = 16 << 20  # bytes of one call's arguments
_RESERVE_BYTES = 8 << 20  # given up when the limit refuses memory, so that it can still be told
_reserve = []


def main(job: dict[str, Any], link: int) -> None:
    """Run a job (dict) and serve the examiner on the descriptor `link` until it hangs up."""
    sys.stdout = text_stream(1)
    sys.stderr = text_stream(2)
    _hold_reserve()
    try:
        function = load(job["code"], job["entry"])
    except SystemExit as leaving:
        _leave(leaving)
    except BaseException as raised:
        _release_reserve(raised)
        _print_traceback(raised)
        channel.write_frame(link, b"E" + _described(raised))
    else:
        channel.write_frame(link, b"L")
        _serve(link, function, job["value_bytes"])
    _flush()


def _serve(link: int, function: Callable[..., Any] | None, value_cap: int) -> None:
    shown = False
    while True:
        request = channel.read_frame(link, _CALL_CAP)
        if request == b"bye":
            _flush()
            channel.write_frame(link, b"T" + json.dumps(sorted(determinism.touched)).encode())
            return
        try:
            arguments, named = decode(request.decode("utf-8"))
            reply = b"V" + within(encode(function(*arguments, **named)), value_cap)
        except SystemExit as leaving:
            _leave(leaving)
        except BaseException as raised:
            _release_reserve(raised)
            if not shown:
                _print_traceback(raised)
                shown = True
            reply = b"E" + _described(raised)
        channel.write_frame(link, reply)
        _hold_reserve()


def _hold_reserve() -> None:
    """Claim address space that nothing uses; pages that are never written cost nothing."""
    if not _reserve:
        try:
            _reserve.append(bytes(_RESERVE_BYTES))
        except MemoryError:
            return  # what the code holds leaves no room; the supervisor's own watch stays


def _release_reserve(raised: BaseException) -> None:
    if isinstance(raised, MemoryError):
        _reserve.clear()


def load(code: str, entry: str) -> Callable[..., Any] | None:
    """Execute the code as a module; its function `entry`, None when no name is given. Raises what the code raises."""
    module = types.ModuleType("lesson")
    module.__file__ = SOURCE_NAME
    sys.modules["lesson"] = module
    exec(compile(code, SOURCE_NAME, "exec", dont_inherit=True), module.__dict__)
    if not entry:
        return None
    function = module.__dict__.get(entry)
    if function is None:
        raise NameError(f"the code does not define {entry!r}")
    return function


def within(text: str, cap: int) -> bytes:
    """The text in UTF-8. Raises NotCanonical when it takes more than `cap` bytes."""
    content = text.encode("utf-8")
    if len(content) > cap:
        raise NotCanonical(f"the value takes {len(content)} bytes, {cap} allowed")
    return content


def _described(raised: BaseException) -> bytes:
    """JSON of [type names from the most specific, message, whether the memory limit caused it]."""
    try:
        message = str(raised)[:MESSAGE_CAP]
    except BaseException:
        message = ""
    names = [kind.__name__ for kind in type(raised).__mro__ if issubclass(kind, BaseException)]
    exhausted = isinstance(raised, MemoryError) and not _raised_on_purpose(raised)
    return json.dumps([names, message, exhausted]).encode("utf-8", "surrogatepass")


def _raised_on_purpose(raised: BaseException) -> bool:
    """Whether a `raise` statement made the exception, and not an allocation that the limit refused."""
    import opcode

    trace = raised.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return True
    operation = trace.tb_frame.f_code.co_code[trace.tb_lasti]
    return opcode.opname[operation] in ("RAISE_VARARGS", "RERAISE")


def _print_traceback(raised: BaseException) -> None:
    import traceback

    try:
        trace = raised.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next  # the reader's own code begins below ours
        traceback.print_exception(type(raised), raised, trace, limit=-12)
    except BaseException:
        return  # a broken __str__, or a closed stderr: the reply says what matters


def _leave(leaving: SystemExit) -> NoReturn:
    """Leave as sys.exit() would; the supervisor reports an early exit."""
    _flush()
    os._exit(leaving.code if isinstance(leaving.code, int) else 1)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:  # noqa: S112 - the code under test closed or replaced it
            continue


def text_stream(descriptor: int) -> io.TextIOWrapper:
    """A line-buffered stream for what the code prints."""
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)
