"""More argument lists in the manner of those an exam uses, edge cases first; it evaluates literals only.

They tell an equivalent mutant from a real survivor, a property that holds from one that was lucky, and an
independent solution that agrees from one that does not. The exam's own arguments span the function's domain: a
position never leaves the range, the lengths, the alphabet or the types that were seen there, and a list of
arguments never breaks an invariant that all of them keep (`domain`), because what a function does outside its
stated domain is no part of what is known.
"""

import ast
import random
from collections.abc import Iterator, Sequence
from typing import Any

from ghostd.core import syntax
from ghostd.verify import domain
from ghostd.verify.exam import Question

_ATTEMPTS_PER_INPUT = 12  # varied lists may repeat or break an invariant; small domains run out
_OFTEN, _SOMETIMES = 0.5, 0.3  # how readily another part of an argument list is varied too


def generate_inputs(questions: Sequence[Question], count: int, seed: bytes) -> tuple[str, ...]:
    """Up to `count` new argument lists as source, at most half of them edge cases; the same ones for the same seed.

    Lists that are not positional literals are left out; without any there is nothing to vary.
    """
    known = [values for values in (literal_arguments(one.arguments) for one in questions) if values]
    if not known:
        return ()
    chooser = random.Random(seed)  # noqa: S311 - a sample, not a secret
    shapes = {len(values): [one for one in known if len(one) == len(values)] for values in known}
    domains = {length: domain.learn(alike) for length, alike in shapes.items()}
    seen = {_source(values) for values in known}
    found: dict[str, None] = {}

    def keep(values: Sequence[Any]) -> None:
        source = _source(values)
        if source not in seen and domains[len(values)].admits(values):
            found[source] = None

    edges = [values for alike in shapes.values() for values in _edge_lists(alike)]
    chooser.shuffle(edges)
    for values in edges:
        if 2 * len(found) < count:
            keep(values)
    for _ in range(_ATTEMPTS_PER_INPUT * count):
        if len(found) == count:
            break
        keep(_varied(chooser.choice(known), shapes, chooser))
    return tuple(found)


def _varied(values: Sequence[Any], shapes: dict[int, list[Any]], chooser: random.Random) -> list[Any]:
    """The list with at least one position varied; half of the time lengths stay as they are."""
    changed, alike = list(values), shapes[len(values)]
    resized = chooser.random() < _OFTEN
    first = chooser.randrange(len(changed))
    for position in range(len(changed)):
        if position == first or chooser.random() < _OFTEN:
            change = _vary if resized else _vary_in_place
            changed[position] = change(changed[position], [one[position] for one in alike], chooser)
    return changed


def _edge_lists(alike: Sequence[Sequence[Any]]) -> Iterator[list[Any]]:
    """Every known list with one position at an edge, and the corners where all positions are at theirs."""
    pools = [[values[position] for values in alike] for position in range(len(alike[0]))]
    edges = [list(_edges(pool)) for pool in pools]
    for position, values in enumerate(edges):
        for base in alike[:: max(1, len(alike) // 4)]:
            for edge in values:
                yield [*base[:position], edge, *base[position + 1 :]]
    for corner in range(max(map(len, edges))):
        if all(edges):
            yield [values[corner % len(values)] for values in edges]


def _edges(pool: Sequence[Any]) -> Iterator[Any]:
    """What implementers forget, as far as the pool's own span reaches: zero, one, least, most, empty, all alike."""
    numbers = [one for one in pool if type(one) in {int, float}]
    for kind in sorted({type(one) for one in numbers}, key=str):
        kin = [one for one in numbers if type(one) is kind]
        low, high = min(kin), max(kin)
        usual = map(kind, (0, 1, -1, 2, low, low + 1, (low + high) // 2, high - 1, high))
        yield from (one for one in dict.fromkeys(usual) if low <= one <= high)
    texts = [one for one in pool if type(one) is str]
    if texts:
        yield from _edge_texts(texts)
    lists = [one for one in pool if type(one) is list]
    if lists:
        yield from _edge_sequences(lists)
    tuples = [one for one in pool if type(one) is tuple]
    if tuples and not _are_records(tuples):
        yield from map(tuple, _edge_sequences([list(one) for one in tuples]))


def _edge_texts(texts: Sequence[str]) -> Iterator[str]:
    shortest, longest = min(texts, key=len), max(texts, key=len)
    alphabet = sorted({character for one in texts for character in one})
    yield from (shortest, longest, longest[::-1], "".join(sorted(longest)))
    if alphabet:  # the last one is the furthest from ASCII
        yield from (alphabet[0] * len(longest), alphabet[-1] * len(longest), alphabet[-1] * len(shortest))


def _edge_sequences(sequences: Sequence[list[Any]]) -> Iterator[list[Any]]:
    shortest, longest = min(sequences, key=len), max(sequences, key=len)
    yield from (shortest, longest, longest[::-1], longest[: len(shortest) + 1])
    if longest:
        yield from (longest[:1] * len(longest), longest[-1:] * len(longest), [*longest[:-1], longest[0]])


def _vary_in_place(value: Any, pool: Sequence[Any], chooser: random.Random) -> Any:
    """Another value of the same lengths: its elements varied, swapped, or both."""
    if not isinstance(value, list | tuple) or not value:
        return _vary(value, pool, chooser)
    kin = [one for one in pool if type(one) is type(value)]
    if isinstance(value, tuple) and _are_records(kin):
        return _vary(value, pool, chooser)
    elements = [element for one in kin for element in one]
    items = [_vary_in_place(item, elements, chooser) if chooser.random() < _SOMETIMES else item for item in value]
    if chooser.random() < _OFTEN:
        one, other = chooser.randrange(len(items)), chooser.randrange(len(items))
        items = list(value)
        items[one], items[other] = items[other], items[one]
    if chooser.random() < _SOMETIMES:
        chooser.shuffle(items)
    return type(value)(items)


def literal_arguments(source: str) -> tuple[Any, ...]:
    """The values of an argument list of positional literals; () for every other one."""
    try:
        values = syntax.literal(f"({source},)")
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ()
    return values if isinstance(values, tuple) else ()


def holds_float(source: str) -> bool:
    """Whether an argument list of literals has a float in it, however deep."""
    return any(
        isinstance(node, ast.Constant) and isinstance(node.value, float)
        for node in ast.walk(syntax.parse(f"({source},)"))
    )


def _source(values: Sequence[Any]) -> str:
    return ", ".join(repr(value) for value in values)


def _are_records(tuples: Sequence[Any]) -> bool:
    """Whether each place has a meaning of its own, as in (name, price): then places are never mixed up."""
    return len({len(one) for one in tuples}) == 1


def _vary(value: Any, pool: Sequence[Any], chooser: random.Random) -> Any:  # noqa: PLR0911 - one return per type
    """Another value of the same type, from within what the pool's values of that type span."""
    kin = [one for one in pool if type(one) is type(value)] or [value]
    match value:
        case bool() | None:
            return chooser.choice(pool)
        case int():
            return _vary_integer(value, min(kin), max(kin), chooser)
        case float():
            drawn = round(chooser.uniform(min(kin), max(kin)), chooser.choice((0, 1, 3)))
            return min(max(kin), max(min(kin), drawn))
        case str():
            alphabet = sorted({character for one in kin for character in one})
            length = chooser.randint(min(map(len, kin)), max(map(len, kin)))
            return _rearrange(list(value), alphabet, length, chooser, "".join)
        case tuple() if _are_records(kin):
            return tuple(_vary(value[place], [one[place] for one in kin], chooser) for place in range(len(value)))
        case list() | tuple():
            elements = [element for one in kin for element in one]
            length = chooser.randint(min(map(len, kin)), max(map(len, kin)))
            items = _rearrange(list(value), elements, length, chooser, list)
            fresh = [_vary(item, elements, chooser) if chooser.random() < _SOMETIMES else item for item in items]
            return type(value)(fresh)
        case dict():
            values = [element for one in kin for element in one.values()]
            kept = [key for key in chooser.choice(kin) if chooser.random() > _SOMETIMES]
            return {key: _vary(chooser.choice(values), values, chooser) for key in kept}
        case _:
            return chooser.choice(kin)


def _vary_integer(value: int, low: int, high: int, chooser: random.Random) -> int:
    """A neighbour, or a value whose size is drawn evenly over the magnitudes, so that large ones stay rare."""
    if chooser.random() < _SOMETIMES:
        return min(high, max(low, value + chooser.choice((-2, -1, 1, 2))))
    span = high - low
    reach = min(span, (1 << chooser.randint(0, span.bit_length())) - 1) if span else 0
    return low + chooser.randint(0, reach)


def _rearrange(items: list[Any], pool: Sequence[Any], length: int, chooser: random.Random, build: Any) -> Any:
    """Mostly the old items, cut or filled up to `length` from the pool, sometimes shuffled."""
    changed = items[:length]
    while len(changed) < length and pool:
        changed.insert(chooser.randint(0, len(changed)), chooser.choice(pool))
    if changed and chooser.random() < _OFTEN:
        changed[chooser.randrange(len(changed))] = chooser.choice(pool)
    if chooser.random() < _SOMETIMES:
        chooser.shuffle(changed)
    return build(changed)
