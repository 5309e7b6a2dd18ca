"""Plants items whose truth is known: which concepts, with which faults or styles; their fates it never sees."""

import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from starlette.types import ASGIApp

from ghostd.core.calibration import Label, Order, Planted
from ghostd.errors import NotFound
from ghostd.ports import Teacher, Teachers
from ghostd.textbook import index
from ghostd.textbook.app import create_app
from ghostd.textbook.config import TextbookConfig
from ghostd.textbook.faults import WIRE, FaultKind
from ghostd.textbook.index import Place
from ghostd.textbook.styles import Style, suits

Teach = Callable[[ASGIApp, int], AbstractAsyncContextManager[Teacher]]
"""A client of an app; the seed chooses its words."""

_SECOND_OPINION = "deep_misconception_two_teachers"
_HARMLESS = WIRE | {FaultKind.MALFORMED_JSON, FaultKind.TRUNCATION, FaultKind.REFUSAL}
_SLOW_SECONDS = 0.2  # of slow_tokens: enough to be slow, since nobody learns from waiting


def labels() -> dict[str, Label]:
    """What can be planted: every fault, the deep one before another teacher too, and right code in every style."""
    kinds = {kind.value: Label.HARMLESS if kind in _HARMLESS else Label.FALSE for kind in FaultKind}
    kinds |= {FaultKind.DEEP_MISCONCEPTION.value: Label.DEEP, _SECOND_OPINION: Label.DEEP}
    return kinds | {f"{style.value}_code": Label.TRUE for style in Style}


def label_of(kind: str) -> Label:
    """What is known of items of that kind. Raises NotFound."""
    found = labels().get(kind)
    if found is None:
        raise NotFound(f"There is no kind {kind!r} of planted items; there are {', '.join(sorted(labels()))}.")
    return found


class Planter:
    """Implements ports.Planter with the catalogue."""

    def __init__(self, teach: Teach) -> None:
        self._teach = teach

    def plant(self, order: Order) -> list[Planted]:
        """The items of an order, mixed; no concept twice. Raises NotFound for a kind that there is not."""
        if order.kind:
            label_of(order.kind)
        chance = random.Random(order.seed)  # noqa: S311 - repeatable, and nobody's secret
        places = _all_domains(chance)
        counts = {Label.FALSE: order.false, Label.TRUE: order.true}
        counts |= {Label.DEEP: order.deep, Label.HARMLESS: order.harmless}
        items = [
            _planted(kind, label, places)
            for label, count in counts.items()
            for kind in itertools.islice(_kinds(label, order.kind, chance), count)
        ]
        chance.shuffle(items)
        return items

    @asynccontextmanager
    async def teachers(self, kinds: Sequence[str], seed: int) -> AsyncIterator[Mapping[str, Teachers]]:
        """For each kind a teacher that errs so in every lesson, and the one that writes its solutions."""
        async with AsyncExitStack() as stack:
            taught = {}
            for kind in dict.fromkeys(kinds):
                teacher = await stack.enter_async_context(self._teach(create_app(_config(kind)), seed))
                other = teacher
                if kind == _SECOND_OPINION:
                    other = await stack.enter_async_context(self._teach(create_app(TextbookConfig()), seed))
                taught[kind] = (teacher, other)
            yield taught


def _kinds(label: Label, only: str, chance: random.Random) -> Iterator[str]:
    """The label's kinds in turn without end, beginning anywhere."""
    kinds = [kind for kind, known in labels().items() if known is label and (not only or kind == only)]
    chance.shuffle(kinds)
    return itertools.cycle(kinds)


def _all_domains(chance: random.Random) -> Iterator[Place]:
    """Every concept of the catalogue in random order, one of each domain in turn."""
    decks = []
    for chapter in index.chapters().values():
        deck = [(family, parameters) for family in chapter.families for parameters in family.parameters]
        chance.shuffle(deck)
        decks.append(deck)
    chance.shuffle(decks)
    dealt = itertools.chain.from_iterable(itertools.zip_longest(*decks))
    return (place for place in dealt if place is not None)


def _planted(kind: str, label: Label, places: Iterator[Place]) -> Planted:
    """The next concept that the kind fits; those it does not are passed over. Raises NotFound when none is left."""
    style = _style(kind)
    for place in places:
        entry = index.entry_at(*place)
        if suits(entry, style):
            told = entry.false_claims if kind == FaultKind.WRONG_CLAIM else ()
            return Planted(kind, label, index.concept_at(*place), frozenset(check for _, check in told))
    raise NotFound("the catalogue has no concept left for so many items; order fewer")


def _style(kind: str) -> Style:
    return next((style for style in Style if f"{style.value}_code" == kind), Style.PLAIN)


def _config(kind: str) -> TextbookConfig:
    """A textbook that errs in this way every time, or writes in this style."""
    if kind == _SECOND_OPINION:
        kind = FaultKind.DEEP_MISCONCEPTION.value
    faults = {FaultKind(kind): 1.0} if kind in set(FaultKind) else {}
    return TextbookConfig(faults=faults, style=_style(kind), slow_seconds=_SLOW_SECONDS)
