"""What a catalogue file is made of: families of concepts, each a rule from parameters to a full entry."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Parameters = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """Everything the textbook knows about one concept. All of it is true except what is named wrong.

    The exam's expected values are not written by hand: `exam` lists argument lists, and the textbook
    computes the values with `code`, which the catalogue's own tests compare with an independent oracle.
    """

    title: str  # unique in the whole catalogue; names the parameters
    statement: str  # self-contained; says what the function returns, for which arguments, and edge cases
    signature: str  # "def totient(n: int) -> int"
    explanations: tuple[str, ...]  # >= 3 paraphrases, 2-5 sentences each, none a permutation of another
    code: str  # a right, clean solution (imports + the function); deterministic, plain data in and out
    alternative: str  # a right solution by a different method
    claims: tuple[tuple[str, str], ...]  # >= 3 true (sentence, Python expression over the function)
    false_claims: tuple[tuple[str, str], ...]  # >= 1 plausible misconception; its check is False
    exercises: tuple[tuple[str, str], ...]  # >= 3 (question, argument source such as "36, [1, 2]")
    exam: tuple[str, ...]  # >= 8 argument lists as source: boundaries, each branch, typical, large
    wrong: Mapping[str, str] = field(default_factory=dict)
    # fault kind -> wrong code; each must differ from `code` on at least one exam argument list.
    # keys: "wrong_formula", "off_by_one", "wrong_constant" (all three required); "unit_slip" where units matter
    properties: tuple[str, ...] = ()  # laws over the signature's parameters, true for every argument list of the domain


@dataclass(frozen=True, slots=True)
class Family:
    """A rule that makes one concept from each of its parameter tuples."""

    slug: str  # unique in the catalogue, e.g. "sum-of-divisors-power"
    domain: str  # slug of the domain, e.g. "number-theory"
    title: str  # the parent concept's title, e.g. "Divisor power sums"
    prerequisites: tuple[str, ...]  # slugs of families that come before this one
    parameters: Sequence[Parameters]  # every tuple gives a different function
    build: Callable[..., Entry]  # build(*parameters)

    def entries(self) -> Iterator[Entry]:
        """Every concept of the family, in the order of its parameters."""
        return (self.build(*one) for one in self.parameters)


@functools.lru_cache(maxsize=4096)
def compiled(code: str, entry: str) -> Callable[..., Any]:
    """The function `entry` that `code` defines. Only for the catalogue's own code, which is trusted."""
    namespace: dict[str, Any] = {"__name__": "textbook"}
    exec(compile(code, "<textbook>", "exec"), namespace)  # noqa: S102 - the catalogue's own code
    function: Callable[..., Any] = namespace[entry]
    return function
