"""What code may not reach for, and that ordinary lessons reach for none of it."""

import pytest

from ghostd.verify.hazards import MAXIMUM_CHARACTERS, Unreadable, find_hazard, parse


@pytest.mark.parametrize(
    ("code", "hazard"),
    [
        ("import os", "import:os"),
        ("import os.path as math", "import:os"),
        ("from subprocess import run", "import:subprocess"),
        ("from . import neighbour", "import:relative"),
        ("import socket", "import:socket"),
        ("import numpy as np", "import:numpy"),
        ("import time", "nondeterminism:clock"),
        ("from time import time", "nondeterminism:clock"),
        ("import uuid", "nondeterminism:random"),
        ("import secrets", "nondeterminism:random"),
        ("import random\nx = random.random()", "nondeterminism:random"),
        ("import random as chance\nx = chance.choice([1])", "nondeterminism:random"),
        ("from random import randint", "nondeterminism:random"),
        ("import random\nr = random.Random()", "nondeterminism:random"),
        ("import datetime\nx = datetime.datetime.now()", "nondeterminism:clock"),
        ("from datetime import date\nx = date.today()", "nondeterminism:clock"),
        ("def f(x): return id(x)", "nondeterminism:address"),
        ("def f(x): return hash(x)", "nondeterminism:hash-order"),
        ("def f(): return open('/etc/passwd')", "forbidden:open"),
        ("exec('1')", "forbidden:exec"),
        ("x = eval('1')", "forbidden:eval"),
        ("x = __import__('os')", "forbidden:__import__"),
        ("x = ().__class__.__base__.__subclasses__()", "forbidden:__subclasses__"),
        ("def f(g): return g.__globals__", "forbidden:__globals__"),
        ("x = __builtins__", "forbidden:__builtins__"),
        ("def f(g): return g.gi_frame", "forbidden:gi_frame"),
        ("x = getattr(1, 'real')", "forbidden:getattr"),
        ("exit()", "forbidden:exit"),
    ],
)
def test_a_hazard_is_named(code: str, hazard: str) -> None:
    assert find_hazard(parse(code)) == hazard


@pytest.mark.parametrize(
    "code",
    [
        "import math\nfrom fractions import Fraction\n\ndef f(n): return math.gcd(n, 6) + Fraction(1, 2)",
        "import random\n\ndef f(n): return random.Random(7).randint(0, n)",
        "from random import Random\n\ndef f(n): return Random(n).random()",
        "def f(input, id): return input + id",
        "import re\nPATTERN = re.compile('a+')",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    def __post_init__(self): self.x += 1",
        "from datetime import date\n\ndef f(y): return date(y, 1, 1).isoweekday()",
        "if __name__ == '__main__':\n    print(1)",
        "def f(open_set): return [hash_value for hash_value in open_set]",
    ],
)
def test_ordinary_code_has_no_hazard(code: str) -> None:
    assert find_hazard(parse(code)) == ""


@pytest.mark.parametrize(
    "source",
    ["def f(:", "x = '\0'", "(" * 300 + ")" * 300, "-" * 5000 + "1", "x = 1\n" * MAXIMUM_CHARACTERS, "1" + "+1" * 3000],
    ids=["syntax", "null", "parentheses", "unary", "long", "deep"],
)
def test_what_cannot_be_read_is_refused_rather_than_crashing_the_reader(source: str) -> None:
    with pytest.raises(Unreadable):
        parse(source)
