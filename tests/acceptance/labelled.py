"""A labelled corpus for soaks: right, wrong, looping, hungry and hostile units, and the verdict each deserves."""

# ruff: noqa: E501 - programs under test are quoted as they are sent

import random
from collections.abc import Iterator
from dataclasses import dataclass

from ghostd.core.evidence import ExitClass, Limits, Run

_LIMITS = Limits(wall_seconds=10.0, cpu_seconds=0.5, memory_bytes=64 << 20, output_bytes=16 << 10)
_HOSTILE = {
    "unshare": ("import ctypes\nctypes.CDLL(None).unshare(0x10000000)\n", {ExitClass.FORBIDDEN}),
    "ptrace": ("import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)\n", {ExitClass.FORBIDDEN}),
    "crash": ("import ctypes\nctypes.string_at(0)\n", {ExitClass.SIGNAL}),
    "exit": ("import os\nos._exit(0)\n", {ExitClass.ERROR}),
    "flood": ("import os\nwhile True:\n    os.write(1, b'x' * 4096)\n", {ExitClass.OUTPUT_LIMIT}),
    "closed": ("import os\nos.chmod('.', 0)\nos.closerange(0, 64)\n", {ExitClass.ERROR}),
    "message": ("raise ValueError('\\ud800 \\0')\n", {ExitClass.ERROR}),
    "bomb": (
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n",
        {ExitClass.ERROR, ExitClass.TIMEOUT, ExitClass.OOM},
    ),
    "survivors": (
        "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        os.closerange(0, 64)\n        time.sleep(600)\nraise KeyError\n",
        {ExitClass.ERROR},
    ),
    "files": (
        "import os\nn = 0\nwhile True:\n    os.close(os.open(str(n), os.O_CREAT | os.O_WRONLY))\n    n += 1\n",
        {ExitClass.ERROR, ExitClass.TIMEOUT},
    ),
    "descriptors": (
        "import socket\none, two = socket.socketpair()\nsocket.send_fds(one, [b'x'], [0] * 60)\n",
        {ExitClass.ERROR},
    ),
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """One unit and how it must end."""

    label: str
    run: Run
    expected: frozenset[ExitClass]


def corpus(units: int, seed: int = 7) -> Iterator[Labelled]:
    """`units` of them: a tenth hostile, the rest right, wrong, looping and hungry; the same for the same seed."""
    draw = random.Random(seed)
    for number in range(units):
        kind = draw.choices(("right", "wrong", "raises", "loop", "hungry", "hostile"), (45, 25, 10, 5, 5, 10))[0]
        factor, argument = draw.randrange(2, 1000), draw.randrange(1, 1000)
        product = factor * argument
        if kind == "hostile":
            name = draw.choice(sorted(_HOSTILE))
            prelude, expected = _HOSTILE[name]
            yield _unit(f"hostile:{name}", f"{prelude}def f(n):\n    return n\n", argument, product, expected)
            continue
        body, expected = {
            "right": (f"return n * {factor}", ExitClass.OK),
            "wrong": (f"return n * {factor} + {number % 3 + 1}", ExitClass.ASSERTION),
            "raises": (f"return n * {factor} / 0", ExitClass.ERROR),
            "loop": ("while True:\n        pass", ExitClass.TIMEOUT),
            "hungry": ("return len(bytearray(1 << 30))", ExitClass.OOM),
        }[kind]
        yield _unit(kind, f"def f(n):\n    {body}\n", argument, product, {expected})


def _unit(label: str, code: str, argument: int, product: int, expected: set[ExitClass]) -> Labelled:
    run = Run(code, "f", (str(argument),), (f"assert f({argument}) == {product}",), limits=_LIMITS)
    return Labelled(label, run, frozenset(expected))
