"""From the facts of one execution to its result: exit class, answers, checks and the first thing that went wrong.

Pure: it starts, kills and reads nothing.
"""

from __future__ import annotations

import json
import os
import signal

TYPE_CHECKING = False  # for checkers alone: typing would cost each start milliseconds and each fork its pages
if TYPE_CHECKING:
    from typing import Any

    Problem = tuple[str, str, str]  # exit class, exception type, message

_KILLED = {
    "timeout": ("timeout", "Timeout", "the run used up its time"),
    "oom": ("oom", "MemoryError", "the run used up its memory"),
    "output_limit": ("output_limit", "OutputLimit", "the run wrote more than it may"),
    "processes": ("error", "ProcessLimit", "the run started more processes than it may"),
    "files": ("error", "FileLimit", "the run made more files than it may"),
    "forgery": ("error", "Forgery", "what the examiner reported is no report"),
}
# What follows the name of each step; the number of a call or check is the first where there is one.
_STEPS = {
    "loaded": (),
    "call": (int, str, str, str, bool),
    "check": (int, bool, str, str, bool),
    "failed": (str, str, bool),
    "done": (list,),
    "gone": (),
}
_NUMBERED = {"call": "calls", "check": "checks"}


def understood(content: bytes, run: dict[str, Any]) -> list[Any]:
    """One line of an examiner's report: its nonce, the step's name, the step. Raises ValueError when it is none.

    Lone surrogates, which no JSON reader takes back, become escapes.
    """
    try:
        line = _plain(json.loads(content))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if type(line) is not list or len(line) < len(("nonce", "step")) or type(line[1]) is not str:
        raise ValueError("not a step")
    name, *step = line[1:]
    if tuple(map(type, step)) != _STEPS.get(name):
        raise ValueError(f"not a step: {name}")
    if name in _NUMBERED and not 0 <= step[0] < len(run[_NUMBERED[name]]):
        raise ValueError(f"no {name} has the number {step[0]}")
    if name == "done" and not all(type(taint) is str for taint in step[0]):
        raise ValueError("a taint is a text")
    return line


def _plain(tree: Any) -> Any:
    if type(tree) is str:
        return tree.encode("utf-8", "backslashreplace").decode("utf-8")
    return [_plain(item) for item in tree] if type(tree) is list else tree


def result(facts: Any, oom_kills: int) -> dict[str, Any]:
    """The result (dict) of a completed Execution; `oom_kills` counts what the cgroup killed meanwhile."""
    run = facts.run
    calls = [["", "", ""] for _ in run["calls"]]
    checks = [[False, False, ""] for _ in run["checks"]]
    problem, taints = None, []
    for name, *step in facts.steps:
        if name == "call":
            number, value, kind, message, exhausted = step
            calls[number] = [value, kind, message]
            if kind:
                problem = problem or _raised(kind, message, exhausted)
        elif name == "check":
            number, passed, kind, message, exhausted = step
            checks[number] = [True, passed, message if passed else _labelled(kind, message)]
            if not passed:
                problem = problem or _failed(kind, message, exhausted)
        elif name == "failed":
            problem = problem or _raised(*step)
        elif name == "done":
            taints = step[0]
    exit_class, kind, message = _cut_short(facts, oom_kills) or problem or ("ok", "", "")
    cap = run["output_bytes"]
    stdout = bytes(facts.output["stdout"])[:cap]
    used = [facts.exits[pid] for pid in facts.pids if pid in facts.exits]
    return {
        "exit_class": exit_class,
        "calls": calls,
        "checks": checks,
        "stdout": stdout.decode("utf-8", "replace"),
        "stderr": bytes(facts.output["stderr"])[: cap - len(stdout)].decode("utf-8", "replace"),
        "exception_type": kind,
        "exception_message": message,
        "wall_seconds": facts.wall_seconds,
        "cpu_seconds": sum(cpu for _, cpu, _ in used),
        "peak_memory_bytes": facts.exits[facts.pids[0]][2] if facts.pids and facts.pids[0] in facts.exits else 0,
        "taints": taints,
    }


def _cut_short(facts: Any, oom_kills: int) -> Problem | None:
    """Why the run did not reach its own end; None when it did."""
    if facts.killed_for:
        return _KILLED[facts.killed_for]
    if facts.ended_by in ("done", "failed"):
        return None
    for pid in facts.pids:
        status = facts.own_exits.get(pid, (0, 0.0, 0))[0]
        if os.WIFSIGNALED(status):
            return _signalled(os.WTERMSIG(status), oom_kills)
    if facts.zygote.broken:
        return "error", "Tampering", "the run ended the process that it was forked from"
    if not facts.ended_by and facts.pids[1] in facts.own_exits:
        code = os.waitstatus_to_exitcode(facts.own_exits[facts.pids[1]][0])
        return "error", "Unexamined", f"the examiner ended without a verdict, with exit status {code}"
    status = facts.own_exits.get(facts.pids[0])
    left = f"with exit status {os.waitstatus_to_exitcode(status[0])}" if status else "by closing its channel"
    return "error", "EarlyExit", f"the code left before it was examined, {left}"


def _signalled(number: int, oom_kills: int) -> Problem:
    if number == signal.SIGSYS:
        return "forbidden", "SIGSYS", "a system call that the sandbox forbids"
    if number == signal.SIGXCPU:
        return _KILLED["timeout"]
    if number == signal.SIGKILL and oom_kills:
        return _KILLED["oom"]
    name = signal.Signals(number).name
    return "signal", name, f"ended by {name}"


def _raised(kind: str, message: str, exhausted: bool) -> Problem:
    return ("oom" if exhausted else "error"), kind, message


def _failed(kind: str, message: str, exhausted: bool) -> Problem:
    if kind == "AssertionError" and not exhausted:
        return "assertion", kind, message
    return _raised(kind.removeprefix("remote:"), message, exhausted)


def _labelled(kind: str, message: str) -> str:
    kind = kind.removeprefix("remote:")
    return f"{kind}: {message}" if message else kind
