"""More argument lists in the manner of those an exam uses; it evaluates literals only.

They tell an equivalent mutant from a real survivor. The exam's own arguments span the function's domain: a
position never leaves the range, the lengths, the alphabet or the types that were seen there, because what a
function does outside its stated domain is no part of what is known.
"""

import ast
import random
from collections.abc import Sequence
from typing import Any

from ghostd.verify.exam import Question

_ATTEMPTS_PER_INPUT = 4  # varied lists may repeat; small domains run out
_OFTEN, _SOMETIMES = 0.5, 0.3  # how readily another part of an argument list is varied too


def vary_inputs(questions: Sequence[Question], count: int, seed: bytes) -> tuple[str, ...]:
    """Up to `count` new argument lists as source, the same ones for the same seed.

    Lists that are not positional literals are left out; without any there is nothing to vary.
    """
    known = [values for values in (_literal_arguments(one.arguments) for one in questions) if values]
    if not known:
        return ()
    chooser = random.Random(seed)  # noqa: S311 - a sample, not a secret
    varied: dict[str, None] = {}
    seen = {_source(values) for values in known}
    for _ in range(_ATTEMPTS_PER_INPUT * count):
        base = list(chooser.choice(known))
        same_shape = [values for values in known if len(values) == len(base)]
        first = chooser.randrange(len(base))
        for position in range(len(base)):
            if position == first or chooser.random() < _OFTEN:
                base[position] = _vary(base[position], [values[position] for values in same_shape], chooser)
        source = _source(base)
        if source not in seen:
            varied[source] = None
        if len(varied) == count:
            break
    return tuple(varied)


def _literal_arguments(source: str) -> tuple[Any, ...]:
    try:
        values = ast.literal_eval(f"({source},)")
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ()
    return values if isinstance(values, tuple) else ()


def _source(values: Sequence[Any]) -> str:
    return ", ".join(repr(value) for value in values)


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
        case tuple() if len({len(one) for one in kin}) == 1:  # a record: each place has its own meaning
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
