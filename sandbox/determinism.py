"""A clock that stands still between readings, and the record of what a program asked that has no fixed answer.

`install` patches the modules once, in the zygote; `begin` sets the clock and forgets the record, in each fork.
It does not make programs deterministic: it makes most of those that are not say so. What is read behind the
modules' backs stays unseen here; replays with other seeds, times and cells reveal that.
"""

# patching the standard library means reaching into it, under its own names:
# ruff: noqa: SLF001, ICN001

from __future__ import annotations

import _thread
import datetime
import os
import random
import resource
import sys
import threading  # imported before the patches: its time-outs must count real time
import time

TYPE_CHECKING = False  # for checkers alone: typing would cost each start milliseconds and each fork its pages
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TICK_SECONDS = 0.001  # what each reading of a clock adds, so that loops that wait for a time end

touched = set()
_state = {"now": 0.0, "start": 0.0, "seeded": False}
_seed_for_real, _fresh_bytes = random.seed, os.getrandom
_AUDITED = {
    "os.fork": "process",
    "os.forkpty": "process",
    "os.exec": "process",
    "os.posix_spawn": "process",
    "os.system": "process",
    "subprocess.Popen": "process",
    "socket.__new__": "network",
    "socket.connect": "network",
    "socket.gethostname": "environment",
    "ctypes.dlopen": "native",
    "ctypes.dlsym": "native",
    "ctypes.addressof": "native",
    "ctypes.string_at": "native",
    "gc.get_objects": "interpreter",
    "gc.get_referrers": "interpreter",
    "gc.get_referents": "interpreter",
}
_LESSON = "<lesson>"  # subject.SOURCE_NAME
# Files whose content is the machine's or the kernel's; one that the code wrote itself is its own affair.
_KERNEL_FILES = {"/proc": "environment", "/sys": "environment", "/etc": "environment", "/dev/urandom": "entropy",
                 "/dev/random": "entropy"}  # fmt: skip
_PATH_EVENTS = frozenset({"open", "os.listdir", "os.scandir"})


def begin(start_time: float) -> None:
    """Start a run: clocks read `start_time` (seconds since the epoch), generators are seeded afresh."""
    _state.update(now=start_time, start=start_time, seeded=False)
    _seed_for_real(_fresh_bytes(16))
    touched.clear()


def install() -> None:
    """Patch clocks, generators and what names the process; call once per zygote, before any code under test."""
    _patch_clocks()
    _patch_dates()
    _patch_random()
    _patch_process()
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    taint = _AUDITED.get(event)
    if taint is not None:
        touched.add(taint)
    elif event in _PATH_EVENTS:
        path = arguments[0]
        if type(path) is str and path.startswith(tuple(_KERNEL_FILES)):
            touched.update(taint for start, taint in _KERNEL_FILES.items() if path.startswith(start))
    elif event == "builtins.id" and sys._getframe(1).f_code.co_filename == _LESSON:
        touched.add("address")  # the library's own use of id(), as in copy.deepcopy, shows nobody an address


def _read_clock() -> float:
    touched.add("clock")
    _state["now"] += TICK_SECONDS
    return _state["now"]


def _patch_clocks() -> None:
    sleep, localtime, gmtime, strftime = time.sleep, time.localtime, time.gmtime, time.strftime

    def advance_and_sleep(seconds: float, /) -> None:
        sleep(seconds)
        _state["now"] += seconds

    def elapsed() -> float:
        return _read_clock() - _state["start"]

    def nanoseconds(read: Callable[[], float]) -> Callable[[], int]:
        def read_nanoseconds() -> int:
            return int(read() * 1_000_000_000)

        return read_nanoseconds

    for name in ("time", "monotonic", "perf_counter"):
        setattr(time, name, _read_clock)
        setattr(time, f"{name}_ns", nanoseconds(_read_clock))
    for name in ("process_time", "thread_time"):
        setattr(time, name, elapsed)
        setattr(time, f"{name}_ns", nanoseconds(elapsed))
    time.sleep = advance_and_sleep
    time.clock_gettime = lambda _clock, /: _read_clock()  # noqa: PLW0108 - it takes the number of a clock
    time.clock_gettime_ns = lambda _clock, /: int(_read_clock() * 1_000_000_000)
    time.localtime = lambda seconds=None, /: localtime(_read_clock() if seconds is None else seconds)
    time.gmtime = lambda seconds=None, /: gmtime(_read_clock() if seconds is None else seconds)
    time.strftime = lambda form, moment=None, /: strftime(form, time.localtime() if moment is None else moment)
    asctime = time.asctime
    time.asctime = lambda moment=None, /: asctime(time.localtime() if moment is None else moment)
    time.ctime = lambda seconds=None, /: asctime(time.localtime(seconds))


def _patch_dates() -> None:
    real_date, real_moment = datetime.date, datetime.datetime

    class AnyDate(type):
        def __instancecheck__(cls, thing: object) -> bool:
            return isinstance(thing, real_date)

    class AnyMoment(type):
        def __instancecheck__(cls, thing: object) -> bool:
            return isinstance(thing, real_moment)

    class Date(real_date, metaclass=AnyDate):
        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(_read_clock())

    class Moment(real_moment, metaclass=AnyMoment):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls.fromtimestamp(_read_clock(), tz)

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(_read_clock())

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(_read_clock(), datetime.UTC).replace(tzinfo=None)

    for real, frozen in ((real_date, Date), (real_moment, Moment)):
        frozen.__module__, frozen.__name__, frozen.__qualname__ = "datetime", real.__name__, real.__name__
        setattr(datetime, real.__name__, frozen)


def _patch_random() -> None:  # noqa: C901 - one small wrapper per kind of generator
    real_random, real_urandom, real_getrandom = random.Random, os.urandom, os.getrandom

    class Random(real_random):
        def __init__(self, x: Any = None) -> None:
            if x is None:
                touched.add("random")
            super().__init__(x)

    Random.__module__, Random.__qualname__ = "random", "Random"
    random.Random = Random

    def drawing(function: Callable[..., Any]) -> Callable[..., Any]:
        def draw(*arguments: Any, **named: Any) -> Any:
            if not _state["seeded"]:
                touched.add("random")
            return function(*arguments, **named)

        draw.__name__ = draw.__qualname__ = function.__name__
        return draw

    for name in random.__all__:
        function = getattr(random, name)
        if getattr(function, "__self__", None) is random._inst and name not in ("seed", "getstate", "setstate"):
            setattr(random, name, drawing(function))

    def seed(a: Any = None, version: int = 2) -> None:
        _state["seeded"] = a is not None
        _seed_for_real(a, version)

    random.seed = seed

    def entropy(read: Callable[..., bytes]) -> Callable[..., bytes]:
        def draw(*arguments: Any) -> bytes:
            touched.add("entropy")
            return read(*arguments)

        return draw

    os.urandom = random._urandom = entropy(real_urandom)
    os.getrandom = entropy(real_getrandom)


def _patch_process() -> None:
    def noticing(function: Callable[..., Any], taint: str) -> Callable[..., Any]:
        def notice(*arguments: Any, **named: Any) -> Any:
            touched.add(taint)
            return function(*arguments, **named)

        notice.__name__ = notice.__qualname__ = function.__name__
        return notice

    names = ("getpid", "getppid", "getuid", "getpgrp", "getpgid", "getsid", "uname", "cpu_count", "getloadavg")
    for name in (*names, "sched_getaffinity", "statvfs"):
        setattr(os, name, noticing(getattr(os, name), "environment"))
    for name in ("times", "wait3", "wait4"):
        setattr(os, name, noticing(getattr(os, name), "clock"))
    resource.getrusage = noticing(resource.getrusage, "clock")
    for name in ("getallocatedblocks", "getrefcount"):
        setattr(sys, name, noticing(getattr(sys, name), "interpreter"))
    sys.modules["_uuid"] = None  # its C code reads the clock and the network card unseen; uuid does without it
    environment = type(os.environ)
    environment.__getitem__ = noticing(environment.__getitem__, "environment")
    environment.__iter__ = noticing(environment.__iter__, "environment")
    threading._start_new_thread = noticing(threading._start_new_thread, "threads")
    _thread.start_new_thread = _thread.start_new = threading._start_new_thread
