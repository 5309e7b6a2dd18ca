"""The domain that an exam spans, learnt from its argument lists: invariants that all of them keep; it runs nothing.

After Daikon (Ernst et al., "The Daikon system for dynamic detection of likely invariants", Science of Computer
Programming 69, 2007): a fixed set of candidate properties is tried on what was seen, and those that never failed are
taken for part of the statement. A binary search is only ever asked about sorted lists, a determinant about square
ones, a choice of k out of n about k <= n; an input that breaks such a rule says nothing about what is known.

An invariant that holds by chance costs some inputs and proves nothing wrong.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MINIMUM_WITNESSES = 2  # different values that could have broken a rule; with fewer, keeping it means nothing
_MORE_WITNESSES = 4  # for a rule that every other value keeps by chance

Arguments = Sequence[Any]
_Check = Callable[[Any], bool | None]  # None: the value can neither keep nor break the rule
_Relation = Callable[[Any, Any], bool | None]


@dataclass(frozen=True, slots=True)
class Domain:
    """What the argument lists of one length have in common."""

    single: tuple[tuple[int, str], ...]  # (position, name of the rule)
    pairs: tuple[tuple[int, int, str], ...]  # (one position, another, name of the relation)

    def admits(self, values: Arguments) -> bool:
        """Whether an argument list keeps every rule."""
        return all(_SINGLE[name](values[place]) is not False for place, name in self.single) and all(
            _PAIRS[name](values[one], values[other]) is not False for one, other, name in self.pairs
        )


def learn(known: Sequence[Arguments]) -> Domain:
    """The rules that every one of `known`, argument lists of one length, keeps."""
    places = range(len(known[0]) if known else 0)
    single = (
        (place, name)
        for place in places
        for name, rule in _SINGLE.items()
        if _kept(name, {repr(values[place]): rule(values[place]) for values in known})
    )
    pairs = (
        (one, other, name)
        for one, other in itertools.permutations(places, 2)
        for name, relation in _PAIRS.items()
        if _kept(name, {repr((values[one], values[other])): relation(values[one], values[other]) for values in known})
    )
    return Domain(tuple(single), tuple(pairs))


def _kept(name: str, answers: Mapping[str, bool | None]) -> bool:
    """Whether a rule stands, by what it said of each different value."""
    seen = [answer for answer in answers.values() if answer is not None]
    return len(seen) >= (_MORE_WITNESSES if name in _BY_CHANCE else _MINIMUM_WITNESSES) and all(seen)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _numbers(value: Any) -> list[Any] | None:
    """A list or tuple of numbers; None for everything else."""
    plain = isinstance(value, list | tuple) and all(map(_is_number, value))
    return list(value) if plain else None


def _rows(value: Any) -> list[Any] | None:
    """A list of lists or tuples; None for everything else."""
    nested = isinstance(value, list | tuple) and value and all(isinstance(one, list | tuple) for one in value)
    return list(value) if nested else None


def _several(value: Any) -> list[Any] | None:
    """A list or tuple of at least two elements; None for everything else."""
    return list(value) if isinstance(value, list | tuple) and len(value) > 1 else None


def _of_several(rule: Callable[[list[Any]], bool]) -> _Check:
    def check(value: Any) -> bool | None:
        items = _several(value)
        try:
            return None if items is None else rule(items)
        except TypeError:  # elements that cannot be compared or hashed
            return False

    return check


def _of_rows(rule: Callable[[list[Any]], bool]) -> _Check:
    def check(value: Any) -> bool | None:
        rows = _rows(value)
        return None if rows is None else rule(rows)

    return check


def _of_number(rule: Callable[[Any], bool]) -> _Check:
    return lambda value: rule(value) if _is_number(value) else None


def _of_integer(rule: Callable[[int], bool]) -> _Check:
    return lambda value: rule(value) if _is_integer(value) else None


def _ascends(items: list[Any]) -> bool:
    return all(one <= other for one, other in itertools.pairwise(items))


def _is_symmetric(rows: list[Any]) -> bool:
    return _is_square(rows) and all(
        rows[one][other] == rows[other][one] for one in range(len(rows)) for other in range(one)
    )


def _is_square(rows: list[Any]) -> bool:
    return all(len(row) == len(rows) for row in rows)


def _leads(rows: list[Any]) -> bool:
    """No row ends in a zero: polynomials and numbers written from their lowest place."""
    return all(not row or row[-1] != 0 for row in rows)


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, min(math.isqrt(number), 1 << 16) + 1))


def _pairs_of(rule: Callable[[Any, Any], bool]) -> _Check:
    """Of a list of pairs: edges, intervals, points."""

    def check(rows: list[Any]) -> bool | None:
        pairs = [row for row in rows if len(row) == 2 and all(map(_is_number, row))]  # noqa: PLR2004 - a pair
        return all(rule(*pair) for pair in pairs) if len(pairs) == len(rows) else None

    return lambda value: None if (rows := _rows(value)) is None else check(rows)


def _multiple(of: int) -> _Check:
    return lambda value: len(value) % of == 0 if isinstance(value, str | list | tuple) and value else None


def _inside(value: Any) -> bool | None:
    """Indices into the list that holds them: neighbours in a graph."""
    rows = _rows(value)
    if rows is None or not all(_is_integer(item) for row in rows for item in row):
        return None
    return all(0 <= item < len(rows) for row in rows for item in row)


_SINGLE: dict[str, _Check] = {
    "ascends": _of_several(_ascends),
    "descends": _of_several(lambda items: _ascends(items[::-1])),
    "has no element twice": _of_several(lambda items: all(one not in items[:at] for at, one in enumerate(items))),
    "is a permutation of 0..n-1": _of_several(lambda items: sorted(items) == list(range(len(items)))),
    "is a permutation of 1..n": _of_several(lambda items: sorted(items) == list(range(1, len(items) + 1))),
    "sums to one": lambda value: math.isclose(sum(items), 1) if (items := _numbers(value)) else None,
    "sums to more than zero": lambda value: sum(items) > 0 if (items := _numbers(value)) else None,
    "has an element that is not zero": lambda value: any(items) if (items := _numbers(value)) else None,
    "ends in no zero": lambda value: items[-1] != 0 if (items := _numbers(value)) else None,
    "begins with no zero": lambda value: items[0] != 0 if (items := _numbers(value)) else None,
    "has an odd length": lambda value: len(value) % 2 == 1 if isinstance(value, str | list | tuple) else None,
    "has an even length": _multiple(2),
    "has a length divisible by 3": _multiple(3),
    "has a length divisible by 4": _multiple(4),
    "is rectangular": _of_rows(lambda rows: len({len(row) for row in rows}) == 1),
    "is square": _of_rows(_is_square),
    "is symmetric": _of_rows(_is_symmetric),
    "has rows that end in no zero": _of_rows(_leads),
    "has rows without repetition": _of_rows(
        lambda rows: all(one not in row[:at] for row in rows for at, one in enumerate(row))
    ),
    "holds pairs that ascend": _pairs_of(lambda one, other: one <= other),
    "holds pairs that ascend strictly": _pairs_of(lambda one, other: one < other),
    "holds pairs of two": _pairs_of(lambda one, other: one != other),
    "holds indices into itself": _inside,
    "is not zero": _of_number(lambda number: number != 0),
    "is odd": _of_integer(lambda number: number % 2 == 1),
    "is even": _of_integer(lambda number: number % 2 == 0),
    "is prime": _of_integer(_is_prime),
    "is a power of two": _of_integer(lambda number: number > 0 and number & (number - 1) == 0),
}

_BY_CHANCE = frozenset(
    name for name in _SINGLE if name.startswith(("has an odd", "has an even", "has a length", "is odd", "is even"))
) | {"is not zero", "is prime", "is a power of two"}


def _between_numbers(rule: Callable[[Any, Any], bool]) -> _Relation:
    return lambda one, other: rule(one, other) if _is_number(one) and _is_number(other) else None


def _between_integers(rule: Callable[[int, int], bool]) -> _Relation:
    return lambda one, other: rule(one, other) if _is_integer(one) and _is_integer(other) else None


def _between_sequences(rule: Callable[[Any, Any], bool]) -> _Relation:
    def relation(one: Any, other: Any) -> bool | None:
        both = isinstance(one, str | list | tuple) and isinstance(other, str | list | tuple)
        return rule(one, other) if both else None

    return relation


def _number_and_sequence(rule: Callable[[int, Any], bool]) -> _Relation:
    return lambda one, other: rule(one, other) if _is_integer(one) and isinstance(other, str | list | tuple) else None


def _number_and_elements(rule: Callable[[Any, Any], bool]) -> _Relation:
    def relation(number: Any, sequence: Any) -> bool | None:
        elements = _flat(sequence)
        return all(rule(number, element) for element in elements) if _is_number(number) and elements else None

    return relation


def _flat(value: Any) -> list[Any]:
    """The numbers of a list, or of the lists in it."""
    if not isinstance(value, list | tuple):
        return []
    inside = [item for one in value for item in (one if isinstance(one, list | tuple) else (one,))]
    return inside if all(map(_is_number, inside)) else []


_PAIRS: dict[str, _Relation] = {
    "is at most": _between_numbers(lambda one, other: one <= other),
    "is less than": _between_numbers(lambda one, other: one < other),
    "differs from": _between_numbers(lambda one, other: one != other),
    "is in magnitude less than": _between_numbers(lambda one, other: abs(one) < other),
    "is in magnitude at most": _between_numbers(lambda one, other: abs(one) <= other),
    "adds up with more than zero": _between_numbers(lambda one, other: one + other > 0),
    "divides": _between_integers(lambda one, other: bool(one) and other % one == 0),
    "is coprime to": _between_integers(lambda one, other: math.gcd(one, other) == 1),
    "has the length of": _between_sequences(lambda one, other: len(one) == len(other)),
    "is no longer than": _between_sequences(lambda one, other: len(one) <= len(other)),
    "has the width of": lambda one, other: (
        len(rows[0]) == len(other) if (rows := _rows(one)) and isinstance(other, list | tuple) else None
    ),
    "is at most the length of": _number_and_sequence(lambda number, sequence: number <= len(sequence)),
    "is less than the length of": _number_and_sequence(lambda number, sequence: number < len(sequence)),
    "is at least the length of": _number_and_sequence(lambda number, sequence: number >= len(sequence)),
    "is more than every element of": _number_and_elements(lambda number, element: number > element),
    "is at least every element of": _number_and_elements(lambda number, element: number >= element),
    "is less than every element of": _number_and_elements(lambda number, element: number < element),
    "is at most every element of": _number_and_elements(lambda number, element: number <= element),
    "is an element of": lambda one, other: one in other if isinstance(other, list | tuple) and other else None,
}
