"""Finds the concept that a free question is about; it answers with what the book says, or that it does not know."""

import functools
import math
import re
from collections import Counter

from ghostd.textbook import index
from ghostd.textbook.catalogue.family import Entry, Family

_WORD = re.compile(r"[a-z0-9]+")
# Words that make a question of a subject, with the plural's s taken off.
_ASKING = frozenset(
    _WORD.findall(
        "a an and are at by calculate can compute could did do doe explain find for from give how i in is it me my of "
        "on or please show tell that the there this to use we what when where which who why with would you"
    )
)
_SHORTEST_PLURAL = 4  # letters; "is" and "gas" keep their s
_TITLE_BONUS = 0.5  # of a word that stands in a title, not in the text alone
_ENTRY_WEIGHT = 5.0  # of a title all of whose words were asked for
_ENOUGH = 0.6  # share of the question, by weight, that a family has to know something of
_FAMILIES = 6  # the best of them are searched concept by concept
_CANDIDATES = 400  # concepts of a family that are compared with the question


def _words(text: str) -> list[str]:
    """Lower-case words with the plural's s taken off."""
    found = _WORD.findall(text.lower().replace("'s", "").replace("’s", ""))
    return [word[:-1] if len(word) >= _SHORTEST_PLURAL and word.endswith("s") else word for word in found]


@functools.cache
def _shelves() -> tuple[tuple[tuple[Family, frozenset[str], frozenset[str]], ...], dict[str, float]]:
    """(family, words of its titles, words of its first entry) for every family, and how telling each word is."""
    shelves = []
    for chapter in index.chapters().values():
        for family in chapter.families:
            first = index.entry_at(family, family.parameters[0])
            text = " ".join((first.statement, *first.explanations))
            shelves.append((family, frozenset(_words(f"{family.title} {first.title}")), frozenset(_words(text))))
    seen = Counter(word for _, title, text in shelves for word in title | text)
    return tuple(shelves), {word: math.log((1 + len(shelves)) / count) for word, count in seen.items()}


def best_match(question: str) -> Entry | None:
    """The entry that the question is most likely about; None when no family knows half of what it says."""
    shelves, telling = _shelves()
    unheard = math.log(1 + len(shelves))
    asked = set(_words(question))
    # Numbers tell concepts apart, not families.
    weights = {word: telling.get(word, unheard) for word in asked - _ASKING if not word.isdigit()}

    def points(title: frozenset[str], text: frozenset[str]) -> float:
        known = sum(weight for word, weight in weights.items() if word in title or word in text)
        if known == 0 or known < _ENOUGH * sum(weights.values()):
            return 0.0
        return known + _TITLE_BONUS * sum(weight for word, weight in weights.items() if word in title)

    ranked = sorted(((points(title, text), family.slug) for family, title, text in shelves), reverse=True)
    best = [(score, index.family_of(slug)) for score, slug in ranked[:_FAMILIES] if score > 0]

    def fit(score: float, entry: Entry) -> float:
        """What the family has to do with the question, and how much of the entry's title was asked for."""
        title = {word: telling.get(word, unheard) for word in _words(entry.title)}
        return score + _ENTRY_WEIGHT * sum(title[word] for word in title if word in asked) / sum(title.values())

    candidates = (
        (score, index.entry_at(one, parameters)) for score, one in best for parameters in one.parameters[:_CANDIDATES]
    )
    return max(candidates, key=lambda pair: fit(*pair), default=(0.0, None))[1]


def explain(question: str) -> str:
    """What the book says about the question, with its code; or what the book is about."""
    entry = best_match(question)
    if entry is None:
        known = ", ".join(chapter.domain.title for chapter in index.chapters().values())
        return f"I am a textbook, not a language model, and I only know: {known}. I have nothing on that question."
    return f"{entry.title}. {entry.statement}\n\n{entry.explanations[0]}\n\n```python\n{entry.code.strip()}\n```"
