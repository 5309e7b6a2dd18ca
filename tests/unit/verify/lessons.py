"""Lessons of known worth: right ones of many kinds, written for the tests of the ladder."""

from dataclasses import dataclass

from ghostd.core.concept import Concept
from ghostd.core.lesson import Claim, Exam, Exercise, Lesson


@dataclass(frozen=True)
class Case:
    """A lesson with its concept and exam."""

    concept: Concept
    lesson: Lesson
    exam: Exam

    def with_code(self, code: str) -> "Case":
        lesson = Lesson(self.lesson.explanation, code, self.lesson.claims, self.lesson.exercises)
        return Case(self.concept, lesson, self.exam)

    def with_checks(self, *checks: str) -> "Case":
        return Case(self.concept, self.lesson, Exam(checks))

    def with_claims(self, *claims: Claim) -> "Case":
        lesson = Lesson(self.lesson.explanation, self.lesson.code, claims, self.lesson.exercises)
        return Case(self.concept, lesson, self.exam)

    def with_exercises(self, *exercises: Exercise) -> "Case":
        lesson = Lesson(self.lesson.explanation, self.lesson.code, self.lesson.claims, exercises)
        return Case(self.concept, lesson, self.exam)


def case(
    title: str, signature: str, code: str, expected: dict[str, object], *claims: str, refuses: tuple[str, ...] = ()
) -> Case:
    """`expected` maps argument source to the value, the first two are exercises as well; `refuses` raise ValueError."""
    concept = Concept("testing", title, f"{title}, as everybody knows it.", signature)
    entry = concept.entry
    checks = [
        f"import math\nassert math.isclose({entry}({arguments}), {value!r}, rel_tol=1e-9, abs_tol=1e-9)"
        if isinstance(value, float)
        else f"assert {entry}({arguments}) == {value!r}"
        for arguments, value in expected.items()
    ]
    checks += [
        f"try:\n    {entry}({arguments})\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError('accepted')"
        for arguments in refuses
    ]
    exercises = [Exercise(f"What is {entry}({one})?", one, repr(value)) for one, value in list(expected.items())[:2]]
    lesson = Lesson(f"{title}: an explanation.", code, tuple(Claim(one, one) for one in claims), tuple(exercises))
    return Case(concept, lesson, Exam(tuple(checks)))


TOTIENT = case(
    "Euler's totient",
    "def totient(n: int) -> int",
    """\
def totient(n: int) -> int:
    if n < 1:
        raise ValueError("n must be positive")
    result, rest, p = n, n, 2
    while p * p <= rest:
        if rest % p == 0:
            while rest % p == 0:
                rest //= p
            result -= result // p
        p += 1
    if rest > 1:
        result -= result // rest
    return result
""",
    {"36": 12, "97": 96, "1": 1, "2": 1, "3": 2, "4": 2, "6": 2, "9": 6, "10": 4, "12": 4, "1001": 720, "1024": 512},
    "totient(9) == 6",
    "all(totient(p) == p - 1 for p in (2, 3, 5, 7))",
    refuses=("0", "-3"),
)

GOOD = [
    TOTIENT,
    case(
        "Digit sums in a base",
        "def digit_sum(n: int, base: int = 10) -> int",
        """\
def digit_sum(n, base=10):
    total = 0
    while n:
        n, digit = divmod(n, base)
        total += digit
    return total
""",
        {"1999": 28, "255, 2": 8, "0": 0, "7": 7, "10": 1, "99, 7": 3, "255, 16": 30, "8, 3": 4, "1024, 2": 1},
        "digit_sum(10) == 1",
    ),
    case(
        "Palindromes that ignore case and punctuation",
        "def is_palindrome(text: str) -> bool",
        """\
def is_palindrome(text):
    letters = [c.lower() for c in text if c.isalnum()]
    return letters == letters[::-1]
""",
        {
            "'Level'": True,
            "'ab'": False,
            "''": True,
            "'A man, a plan, a canal: Panama'": True,
            "'abc'": False,
            "'a.'": True,
            "'aB a'": True,
            "'12 21'": True,
            "'12 1x'": False,
            "'.,'": True,
        },
    ),
    case(
        "Run-length encoding",
        "def run_lengths(text: str) -> list[tuple[str, int]]",
        """\
from itertools import groupby


def run_lengths(text):
    return [(key, len(list(run))) for key, run in groupby(text)]
""",
        {
            "'aaab'": [("a", 3), ("b", 1)],
            "''": [],
            "'a'": [("a", 1)],
            "'aba'": [("a", 1), ("b", 1), ("a", 1)],
            "'zz'": [("z", 2)],
            "'  x'": [(" ", 2), ("x", 1)],
            "'112'": [("1", 2), ("2", 1)],
            "'abc'": [("a", 1), ("b", 1), ("c", 1)],
        },
        "sum(count for _, count in run_lengths('aabbb')) == 5",
    ),
    case(
        "Letter frequencies",
        "def frequencies(text: str) -> dict[str, int]",
        """\
def frequencies(text):
    counts = {}
    for c in text.lower():
        if c.isalpha():
            counts[c] = counts.get(c, 0) + 1
    return counts
""",
        {
            "'Anna'": {"a": 2, "n": 2},
            "''": {},
            "'a1b2'": {"a": 1, "b": 1},
            "'ZZ top'": {"z": 2, "t": 1, "o": 1, "p": 1},
            "'x'": {"x": 1},
            "'XxX'": {"x": 3},
            "'123'": {},
            "'ab ab'": {"a": 2, "b": 2},
        },
    ),
    case(
        "Population variance",
        "def variance(values: list[float]) -> float",
        """\
def variance(values):
    if not values:
        raise ValueError('no values')
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)
""",
        {
            "[1, 2, 3, 4]": 1.25,
            "[5]": 0.0,
            "[1.5, 2.5]": 0.25,
            "[-1, 1]": 1.0,
            "[0, 0, 3]": 2.0,
            "[2, 4, 4, 4, 5, 5, 7, 9]": 4.0,
            "[10, 20]": 25.0,
            "[0.1, 0.2, 0.4]": 0.015555555555555555,
        },
        refuses=("[]",),
    ),
    case(
        "Fibonacci numbers by recursion",
        "def fibonacci(n: int) -> int",
        """\
def fibonacci(n):
    if n < 2:
        return n
    return fibonacci(n - 1) + fibonacci(n - 2)
""",
        {"10": 55, "7": 13, "0": 0, "1": 1, "2": 1, "3": 2, "4": 3, "5": 5, "12": 144},
        "fibonacci(8) == 21",
    ),
    case(
        "Matrix products",
        "def product(a: list[list[int]], b: list[list[int]]) -> list[list[int]]",
        """\
def product(a, b):
    if len(a[0]) != len(b):
        raise ValueError('shapes do not fit')
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]
""",
        {
            "[[1, 2], [3, 4]], [[5, 6], [7, 8]]": [[19, 22], [43, 50]],
            "[[2]], [[3]]": [[6]],
            "[[1, 0], [0, 1]], [[5, 6], [7, 8]]": [[5, 6], [7, 8]],
            "[[1, 2, 3]], [[4], [5], [6]]": [[32]],
            "[[1], [2]], [[3, 4]]": [[3, 4], [6, 8]],
            "[[0, 0]], [[1], [1]]": [[0]],
            "[[-1, 2]], [[3], [4]]": [[5]],
            "[[1, 1], [1, 0]], [[1, 1], [1, 0]]": [[2, 1], [1, 1]],
        },
        refuses=("[[1, 2]], [[1]]",),
    ),
    case(
        "Balanced brackets",
        "def balanced(text: str) -> bool",
        """\
PAIRS = {')': '(', ']': '['}


def balanced(text):
    stack = []
    for c in text:
        if c in PAIRS.values():
            stack.append(c)
        elif c in PAIRS:
            if not stack or stack.pop() != PAIRS[c]:
                return False
    return not stack
""",
        {
            "'([])'": True,
            "'([)]'": False,
            "''": True,
            "'('": False,
            "')'": False,
            "'a(b)c'": True,
            "'[]('": False,
            "'(())[]'": True,
            "'(]'": False,
            "'[a]'": True,
        },
    ),
    case(
        "Projectile range",
        "def flight_range(speed: float, degrees: float) -> float",
        """\
import math

G = 9.81


def flight_range(speed, degrees):
    return speed ** 2 * math.sin(2 * math.radians(degrees)) / G
""",
        {
            "10.0, 45.0": 10.19367991845056,
            "20.0, 30.0": 35.311943069701876,
            "0.0, 45.0": 0.0,
            "10.0, 0.0": 0.0,
            "5.0, 15.0": 1.27420998980632,
            "30.0, 60.0": 79.45187190682923,
            "1.0, 45.0": 0.1019367991845056,
            "12.5, 75.0": 7.963812436289499,
        },
        "flight_range(10.0, 30.0) < flight_range(10.0, 45.0)",
    ),
    case(
        "Median of three",
        "def median(a: int, b: int, c: int) -> int",
        """\
def median(a, b, c):
    return sorted((a, b, c))[1]
""",
        {
            "1, 2, 3": 2,
            "3, 1, 2": 2,
            "5, 5, 1": 5,
            "2, 2, 2": 2,
            "-1, 0, 1": 0,
            "9, 7, 8": 8,
            "1, 9, 1": 1,
            "4, 6, 5": 5,
        },
    ),
    case(
        "Set partitions into blocks",
        "def stirling(n: int, k: int) -> int",
        """\
from functools import lru_cache


@lru_cache(maxsize=None)
def stirling(n, k):
    if n == k:
        return 1
    if k == 0 or k > n:
        return 0
    return k * stirling(n - 1, k) + stirling(n - 1, k - 1)
""",
        {"4, 2": 7, "5, 3": 25, "0, 0": 1, "1, 0": 0, "3, 3": 1, "2, 5": 0, "5, 1": 1, "6, 3": 90, "5, 2": 15},
        "stirling(5, 4) == 10",
    ),
]
