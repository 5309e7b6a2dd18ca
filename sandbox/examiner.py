"""The judge's process: makes the calls and evaluates the checks against a proxy of the code under test.

The code under test lives in another process, so patched builtins, objects that equal everything, and early exits
over there cannot touch a verdict made here. It reports each step on a pipe that only it holds.
"""

from __future__ import annotations

import builtins
import fractions
import json
import math
from decimal import Decimal

import channel
import determinism
from canonical import decode, display, encode

TYPE_CHECKING = False  # for checkers alone: typing would cost each start milliseconds and each fork its pages
if TYPE_CHECKING:
    from typing import Any

MESSAGE_CAP = 2000
_FRAMING_BYTES = 64 << 10  # beyond the value's own cap: type names and message of an exception
_SHOWN = 200  # characters of a value in a message


class SubjectGone(BaseException):
    """The code under test ended before it answered; no check may swallow that by catching Exception."""


class Proxy:
    """Stands for the entry function: canonical arguments go out, a canonical value or an exception comes back."""

    def __init__(self, link: int, name: str, value_cap: int) -> None:
        self.__name__ = name
        self._link = link
        self._cap = value_cap + _FRAMING_BYTES
        self.gone = False
        self.exhausted = False  # the memory limit refused an allocation over there
        self.last_call = None  # (arguments, named, what came of it); written out only for a message

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """The answer as a value."""
        return decode(self.ask(arguments, named))

    def ask(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> str:
        """The canonical text of the answer; raises what the code under test raised."""
        request = encode((arguments, named)).encode("utf-8")
        kind, content = self.exchange(request)
        if kind == b"E":
            error = self.rebuilt(content)
            self.last_call = (arguments, named, f"raised {error.ghostd_name}", "")
            raise error
        text = encode(decode(content.decode("utf-8")))  # read and written again: what it sent need not be canonical
        self.last_call = (arguments, named, "returned", text)
        return text

    def told(self) -> str:
        """The last call and what came of it, for people; '' before the first."""
        if self.last_call is None:
            return ""
        arguments, named, came, text = self.last_call
        shown = ", ".join([*map(_brief, arguments), *(f"{name}={_brief(value)}" for name, value in named.items())])
        return f"{self.__name__}({shown}) {came} {_cut(display(text)) if text else ''}".rstrip()

    def exchange(self, request: bytes | None) -> tuple[bytes, bytes]:
        """Send a request (bytes), or nothing (None), and wait for the reply. Raises SubjectGone."""
        try:
            if request is not None:
                channel.write_frame(self._link, request)
            reply = channel.read_frame(self._link, self._cap)
        except (channel.Closed, OSError):
            self.gone = True
            raise SubjectGone from None
        return reply[:1], reply[1:]

    def rebuilt(self, content: bytes) -> Exception:
        """The exception on the other side as the nearest builtin exception type here."""
        names, message, exhausted = json.loads(content)
        self.exhausted = self.exhausted or bool(exhausted)
        base = RuntimeError
        for name in names:
            found = getattr(builtins, name, None)
            if isinstance(found, type) and issubclass(found, Exception):
                base = found
                break
        name, message = str(names[0]), str(message)
        kind = type(name, (base,), {"__str__": lambda _self: message, "ghostd_name": name, "ghostd_remote": True})
        error = kind.__new__(kind)
        error.args = (message,)
        return error


def main(job: dict[str, Any], link: int, report: int) -> None:
    """Work through a job (dict) and write one JSON line per step to the descriptor `report`."""
    nonce, entry = job["nonce"], job["entry"]
    proxy = Proxy(link, entry, job["value_bytes"])

    def tell(*step: Any) -> None:
        channel.write_frame(report, json.dumps([nonce, *step]).encode("utf-8", "surrogatepass"))

    try:
        kind, content = proxy.exchange(None)
        if kind != b"L":
            tell("failed", *_named(proxy.rebuilt(content)), proxy.exhausted)
            return
        tell("loaded")
        for number, source in enumerate(job["calls"]):
            tell("call", number, *_call(proxy, source), proxy.exhausted)
        for number, source in enumerate(job["checks"]):
            passed, kind_name, message = check(proxy, source)
            if proxy.gone:
                raise SubjectGone  # noqa: TRY301 - a check may have swallowed it
            tell("check", number, passed, kind_name, message, proxy.exhausted)
            if not passed and job["stop_on_failure"]:
                break
        _, content = proxy.exchange(b"bye")
        taints = {str(taint) for taint in json.loads(content)}
        tell("done", sorted(taints | determinism.touched))
    except SubjectGone:
        tell("gone")


def _call(proxy: Proxy, source: str) -> tuple[str, str, str]:
    """(canonical value, exception type, message) of one call."""
    scope = {"math": math, "fractions": fractions, "Fraction": fractions.Fraction, "Decimal": Decimal}
    try:
        arguments, named = eval(f"(lambda *a, **k: (a, k))({source}\n)", scope)  # noqa: S307 - that is the job
        return proxy.ask(arguments, named), "", ""
    except SubjectGone:
        raise
    except Exception as raised:
        return "", *_named(raised)


def check(proxy: Proxy, source: str) -> tuple[bool, str, str]:
    """(passed, exception type, message) of one snippet, in a namespace of its own."""
    name = "<check>"
    proxy.last_call = None
    try:
        exec(compile(source, name, "exec", dont_inherit=True), {"__name__": "exam", proxy.__name__: proxy})
    except SystemExit as leaving:
        return False, "SystemExit", str(leaving)
    except BaseException as raised:
        kind, message = _named(raised)
        if not message and kind == "AssertionError":
            message = _failing_line(raised, source, name)
        if kind == "AssertionError" and proxy.last_call is not None:
            message = f"{message} [{proxy.told()}]"
        return False, f"remote:{kind}" if hasattr(raised, "ghostd_remote") else kind, message[:MESSAGE_CAP]
    return True, "", ""


def _failing_line(raised: BaseException, source: str, name: str) -> str:
    trace, line = raised.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    lines = source.splitlines()
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""


def _named(raised: BaseException) -> tuple[str, str]:
    return getattr(raised, "ghostd_name", type(raised).__name__), _text(raised)


def _text(raised: BaseException) -> str:
    try:
        return str(raised)[:MESSAGE_CAP]
    except Exception:
        return ""


def _brief(value: object) -> str:
    return _cut(display(encode(value)))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
