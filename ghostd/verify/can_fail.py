"""Stubs: functions that compute nothing, which any exam worth its name rejects; it writes them, it runs none."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ghostd.verify.exam import Question


@dataclass(frozen=True, slots=True)
class Stub:
    """An impostor for the function under test."""

    name: str
    code: str


_BODIES = {
    "none": "def {entry}(*arguments, **named):\n    return None\n",
    "identity": "def {entry}(*arguments, **named):\n    return arguments[0] if arguments else None\n",
    "raise": "def {entry}(*arguments, **named):\n    raise RuntimeError('stub')\n",
    "exit": "import os\n\n\ndef {entry}(*arguments, **named):\n    os._exit(0)\n",
    "exit_on_load": "import os\n\nos._exit(0)\n\n\ndef {entry}(*arguments, **named):\n    return None\n",
    "always_equal": (
        "class Agreeable:\n"
        "    def __eq__(self, other):\n        return True\n\n"
        "    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __eq__\n"
        "    __bool__ = lambda self: True\n"
        "    __hash__ = lambda self: 0\n\n\n"
        "def {entry}(*arguments, **named):\n    return Agreeable()\n"
    ),
}
_CONSTANT = "def {entry}(*arguments, **named):\n    return {value}\n"


def stubs(entry: str, questions: Sequence[Question]) -> list[Stub]:
    """Every stub for a function named `entry`.

    `constant` returns the answer that the exam expects most often, `echo` the one that it expects first:
    the constants with the best chance of being taken for knowledge.
    """
    written = [Stub(name, body.format(entry=entry)) for name, body in _BODIES.items()]
    expected = [question.expected for question in questions if question.expected]
    if expected:
        commonest = Counter(expected).most_common(1)[0][0]
        written.append(Stub("constant", _CONSTANT.format(entry=entry, value=commonest)))
        if expected[0] != commonest:
            written.append(Stub("echo", _CONSTANT.format(entry=entry, value=expected[0])))
    else:
        written.append(Stub("constant", _CONSTANT.format(entry=entry, value="0")))
    return written
