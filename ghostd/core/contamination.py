"""Whether text or code repeats a benchmark: an index over the benchmark, and the rules of a match; it reads no file.

- `ngram`: 13 words in a row are the same, lower-cased and without punctuation (Brown et al. 2020, "Language Models are
  Few-Shot Learners", appendix C). A run that more than ten passages of the benchmark share is boilerplate.
- `short`: a passage of 4 to 12 words, of which 3 carry meaning, stands there word for word.
- `function`: a function of at least 20 tokens is the same up to names, layout and comments.
- `fingerprints`: of at least 8 winnowed fingerprints (Schleimer, Wilkerson and Aiken, SIGMOD 2003: 10 tokens, window
  4) of a piece of code 95 % are there. Two functions of the textbook's different families share at most 84 %.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b

from ghostd.core.dedup_code import (
    functions,
    only_expressions,
    parse,
    same_function_text,
    split_tokens,
    strings_of,
    tokens,
)

NGRAM_WORDS = 13
SHORTEST_WORDS = 4
MEANINGFUL_WORDS = 3
DISTINCT_WORDS = 5  # of letters, in a run of 13: tables of numbers say nothing about where they are from
DISTINCT_TOKENS = 8  # or so many words and numbers, of which two are of letters
BOILERPLATE_PASSAGES = 10
FUNCTION_TOKENS = 20
FINGERPRINT_TOKENS = 10
WINDOW = 4
LEAST_FINGERPRINTS = 8
CONTAINMENT = 0.95
_WORD = re.compile(r"[^\W_]+")
_LITTLE_WORDS = (
    "a an and are as at be by can do does each every for from given has have how if in into is it its let many "
    "much no not of on one or returns return s that the then there this to two value was what when where which "
    "who whose why will with write you"
)
_FUNCTION_WORDS = frozenset(_LITTLE_WORDS.split())


class Rule(StrEnum):
    """By what a match was found; see the module's first lines."""

    NGRAM = "ngram"
    SHORT = "short"
    FUNCTION = "function"
    FINGERPRINTS = "fingerprints"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a passage of the benchmark stands."""

    file: str  # relative to the benchmark's folder
    line: int  # from 1; the number of the row or element where the format has no lines


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """One passage of the benchmark that was found."""

    place: Place
    rule: Rule


@dataclass(slots=True)
class Benchmark:
    """The index. Its memory is bounded by the benchmark's size: about 150 bytes for each word."""

    places: list[Place] = field(default_factory=list)  # by the number of the passage; several may be at one place
    _ngrams: dict[int, int] = field(default_factory=dict)  # hash -> first passage
    _shared: Counter[int] = field(default_factory=Counter)  # hash -> further passages that have it
    _short: dict[tuple[str, ...], int] = field(default_factory=dict)
    _beginnings: defaultdict[tuple[str, ...], set[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(set))
    _functions: dict[int, int] = field(default_factory=dict)  # hash -> first passage
    _fingerprints: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    _sizes: dict[int, int] = field(default_factory=dict)  # passage -> its fingerprints, where they are enough
    _seen: set[int] = field(default_factory=set)  # hashes of passages: what is repeated word for word counts once

    def add_prose(self, place: Place, text: str) -> None:
        """Index a passage of words; one that is too short or says too little is passed over."""
        words = words_of(text)
        number = self._number(place, _hash(words))
        if number is None:
            return
        if len(words) < NGRAM_WORDS:
            self._add_short(number, tuple(words))
            return
        for gram in {_hash(run) for run in _runs(words) if _telling(run)}:
            if self._ngrams.setdefault(gram, number) != number:
                self._shared[gram] += 1

    def add_code(self, place: Place, source: str) -> None:
        """Index Python code; its comments and docstrings are prose."""
        number = self._number(place, _hash(["code", source]))
        if number is None:
            return
        for text in _long_functions(source):
            self._functions.setdefault(_hash([text]), number)
        kept = set(winnow(_grams_of(source)))
        if len(kept) >= LEAST_FINGERPRINTS:
            self._sizes[number] = len(kept)
            for fingerprint in kept:
                self._fingerprints[fingerprint].append(number)
        for text in words_within(source):
            self.add_prose(place, text)

    def matches(self, prose: Iterable[str], code: Iterable[str]) -> list[Match]:
        """Every passage that the text or the code repeats, each once for each rule, in the benchmark's order."""
        found: set[Match] = set()
        for text in prose:
            found.update(self._in_words(words_of(text)))
        for source in code:
            found.update(self._in_code(source))
            for text in words_within(source):
                found.update(self._in_words(words_of(text)))
        return sorted(found)

    def _number(self, place: Place, content: int) -> int | None:
        """The number of a new passage, None for one that was seen before."""
        if content in self._seen:
            return None
        self._seen.add(content)
        self.places.append(place)
        return len(self.places) - 1

    def _add_short(self, number: int, words: tuple[str, ...]) -> None:
        telling = {word for word in words if word not in _FUNCTION_WORDS}
        if len(words) < SHORTEST_WORDS or len(telling) < MEANINGFUL_WORDS:
            return
        if self._short.setdefault(words, number) != number:
            self._shared[_hash(words)] += 1
        self._beginnings[words[:SHORTEST_WORDS]].add(words)

    def _in_words(self, words: Sequence[str]) -> Iterator[Match]:
        for run in _runs(words):
            gram = _hash(run)
            if gram in self._ngrams and self._shared[gram] < BOILERPLATE_PASSAGES:
                yield Match(self.places[self._ngrams[gram]], Rule.NGRAM)
        for start in range(len(words) - SHORTEST_WORDS + 1):
            for known in self._beginnings.get(tuple(words[start : start + SHORTEST_WORDS]), ()):
                same = tuple(words[start : start + len(known)]) == known
                if same and self._shared[_hash(known)] < BOILERPLATE_PASSAGES:
                    yield Match(self.places[self._short[known]], Rule.SHORT)

    def _in_code(self, source: str) -> Iterator[Match]:
        for text in _long_functions(source):
            number = self._functions.get(_hash([text]))
            if number is not None:
                yield Match(self.places[number], Rule.FUNCTION)
        hits = Counter(number for gram in set(_grams_of(source)) for number in self._fingerprints.get(gram, ()))
        for number, hit in hits.items():
            if hit >= CONTAINMENT * self._sizes[number]:
                yield Match(self.places[number], Rule.FINGERPRINTS)


def words_of(text: str) -> list[str]:
    """The words and numbers, lower-cased, compatibility forms unified, without punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def looks_like_code(text: str) -> bool:
    """Whether the text is Python with something to it: prose seldom parses, and then as bare names."""
    tree = parse(text)
    return tree is not None and len(tokens(tree)) >= FINGERPRINT_TOKENS and not only_expressions(tree)


def words_within(source: str) -> Iterator[str]:
    """The prose in code: its docstrings and other long strings, and each run of comment lines."""
    comments = re.findall(r"(?:^[ \t]*#.*\n?)+", source, re.MULTILINE)
    yield from (re.sub(r"^[ \t]*#+", " ", run, flags=re.MULTILINE) for run in comments)
    tree = parse(source)
    if tree is not None:
        yield from strings_of(tree)


def winnow(hashes: Sequence[int]) -> Iterator[int]:
    """The smallest hash of each window: whoever shares WINDOW + FINGERPRINT_TOKENS - 1 tokens shares one of them."""
    for start in range(max(1, len(hashes) - WINDOW + 1) if hashes else 0):
        yield min(hashes[start : start + WINDOW])


def _long_functions(source: str) -> Iterator[str]:
    for function in functions(source):
        text = same_function_text(function)
        if len(split_tokens(text)) >= FUNCTION_TOKENS:
            yield text


def _grams_of(source: str) -> list[int]:
    tree = parse(source)
    read = tokens(tree) if tree is not None else []
    return [_hash(read[start : start + FINGERPRINT_TOKENS]) for start in range(len(read) - FINGERPRINT_TOKENS + 1)]


def _runs(words: Sequence[str]) -> Iterator[Sequence[str]]:
    return (words[start : start + NGRAM_WORDS] for start in range(len(words) - NGRAM_WORDS + 1))


def _telling(run: Sequence[str]) -> bool:
    distinct = set(run)
    letters = sum(word.isalpha() for word in distinct)
    return letters >= DISTINCT_WORDS or (letters > 1 and len(distinct) >= DISTINCT_TOKENS)


def _hash(words: Sequence[str]) -> int:
    data = " ".join(words).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
