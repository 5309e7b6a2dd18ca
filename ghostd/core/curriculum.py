"""What a self-distilled student is taught and asked: known questions, held-out ones, examples of how to vary; pure."""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ghostd.core.canonical import display
from ghostd.core.crystal import Crystal
from ghostd.core.variation import Answered, Form, Pair, Variation, form_of, pairs_of, varied

VARY = "Ask it about other numbers: "
_SHOWN = 64  # examples of how a form is varied: more of them teach nothing but to repeat them
_OTHERS = 8  # known questions that each known one is shown to be varied into, at most
_SHORTEST = 2  # digits below which held-out numbers are not counted apart: there are but ten of one digit


@dataclass(frozen=True, slots=True)
class Material:
    """What a student begins with."""

    pairs: tuple[Pair, ...]
    forms: tuple[Form, ...]
    crystals: Mapping[str, Crystal]  # whose code answers, by id


def chosen(crystals: Sequence[Crystal], count: int) -> Material:
    """The first `count` questions of crystals whose questions have a form, whole crystals together."""
    pairs: list[Pair] = []
    forms: list[Form] = []
    used: dict[str, Crystal] = {}
    for crystal in crystals:
        ours = pairs_of(crystal)
        form = form_of(ours)
        if form is not None and len(pairs) + len(ours) <= count:
            pairs += ours
            forms.append(form)
            used[crystal.id] = crystal
    return Material(tuple(pairs), tuple(forms), used)


def hold_out(forms: Sequence[Form], known: AbstractSet[str], count: int, generator: random.Random) -> list[Variation]:
    """For each form at most `count` questions within its reach that are not known, below 100 and above alike."""
    reserved: list[Variation] = []
    for form in forms:
        least, most = form.reach
        lengths = range(_SHORTEST, max(_SHORTEST, len(str(most))) + 1)
        drawn = [
            [generator.randint(least, min(most, 10 ** generator.choice(lengths) - 1)) for _ in form.parts[1:]]
            for _ in range(20 * count)
        ]
        found = [varied(form, numbers) for numbers in dict.fromkeys(", ".join(map(str, row)) for row in drawn)]
        reserved += [one for one in found if one is not None and one.question not in known][:count]
    return reserved


def guessed(taught: Sequence[Pair], truth: Sequence[Answered]) -> int:
    """How many the most frequent answer that was taught to each form gets right: what knowing nothing gives."""
    usual = {
        crystal_id: Counter(one.value for one in ours).most_common(1)[0][0]
        for crystal_id, ours in by_crystal(taught).items()
    }
    return sum(usual[one.variation.crystal_id] == display(one.value) for one in truth)


def answers_of(taught: Sequence[Pair]) -> list[tuple[str, str]]:
    """Every question with its answer."""
    return [(one.question, one.value) for one in taught]


def how_to_vary(taught: Sequence[Pair], generator: random.Random) -> list[tuple[str, str]]:
    """Known questions with the numbers of others of their form: few known ones with several each, many with some."""
    shown: list[tuple[str, str]] = []
    for ours in by_crystal(taught).values():
        varied_ones = generator.sample(ours, min(_SHOWN, len(ours)))
        for one in varied_ones:
            others = [other.arguments for other in ours if other.arguments != one.arguments]
            count = min(_OTHERS, len(others), max(1, _SHOWN // len(varied_ones)))
            shown += [(VARY + one.question, numbers) for numbers in generator.sample(others, count)]
    return shown


def by_crystal(taught: Sequence[Pair]) -> dict[str, list[Pair]]:
    """The questions of each crystal, which are those of one form."""
    found: dict[str, list[Pair]] = defaultdict(list)
    for one in taught:
        found[one.crystal_id].append(one)
    return found
