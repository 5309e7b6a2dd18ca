"""Near-duplicates: MinHash proposes (Broder 1997), exact Jaccard over word shingles and what differs decide.

A concept's title names its parameters, and numbers are parameters wherever they stand. So two concepts are one only
when their numbers agree one by one, and either the titles or the statements are the same words apart from articles
and plurals. A lesson repeats another when its code is the same function and its explanation a near-duplicate.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from rensa import RMinHash

from ghostd.core.dedup_code import same_function_text

PERMUTATIONS = 128
BANDS = 32  # of 4 rows: half of the pairs with Jaccard 0.42 are proposed, 97 % of those with 0.6
SHINGLE_WORDS = 3
THRESHOLD = 0.7
_SEED = 42
_WORD = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)?|[^\W\d_]+|[^\w\s]")
_NUMBER = re.compile(r"(?:minus |- )?(?:0x[0-9a-f]+|\d+(?:\.\d+)?)")
_EMPTY_WORDS = "a an the of is are be that which this its it function problem"
_EMPTY = frozenset([*_EMPTY_WORDS.split(), *".,;:()'\"`?"])
_SHORTEST_PLURAL = 4  # letters


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is kept of a text in order to find its near-duplicates."""

    text: str  # normalised; exact Jaccard is computed from it
    signature: tuple[int, ...]  # 128 unsigned 32-bit minima
    bands: tuple[int, ...]  # signed 64-bit hashes of 4 minima and the key each; of the key alone where it says it all


@dataclass(frozen=True, slots=True)
class Known:
    """A text that shares a band with the candidate."""

    owner: str
    text: str  # normalised


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the candidate repeats a known text, and how alike the nearest one is."""

    duplicate_of: str  # owner of the known text; '' when the candidate is new
    similarity: float  # exact Jaccard with the nearest proposed text, 0 when none was proposed


@dataclass(frozen=True, slots=True)
class LessonSketch:
    """A lesson's explanation, which is only ever compared with those of the same code, and its code."""

    explanation: Sketch
    code: Sketch


def normalise(text: str) -> str:
    """Lower-case words, numbers and symbols, separated by single spaces."""
    return " ".join(_WORD.findall(text.lower()))


def concept_text(title: str, statement: str) -> str:
    """What two concepts are compared by: the normalised title on one line and the statement on the next."""
    return f"{normalise(title)}\n{normalise(statement)}"


def concept_sketch(text: str) -> Sketch:
    """The sketch of a `concept_text`; it shares a band only with texts of the same numbers."""
    return _sketch(text, " ".join(_numbers(text)))


def lesson_sketch(explanation: str, code: str) -> LessonSketch:
    """The sketches of a lesson."""
    function = same_function_text(code)
    signature = _signature(function)
    only = Sketch(function, signature, (_hash("code", function),))
    return LessonSketch(_sketch(normalise(explanation), function), only)


def jaccard(left: str, right: str) -> float:
    """Exact Jaccard similarity of two normalised texts over their word shingles, 0..1."""
    ours, theirs = _shingles(left), _shingles(right)
    union = len(ours | theirs)
    return len(ours & theirs) / union if union else 1.0


def decide_concept(text: str, near: Sequence[Known]) -> Decision:
    """Whether the `concept_text` says what one of the texts that MinHash proposed says already."""
    closest = 0.0
    for known in near:
        similarity = jaccard(text, known.text)
        if similarity >= THRESHOLD and same_fact(text, known.text):
            return Decision(known.owner, similarity)
        closest = max(closest, similarity)
    return Decision("", closest)


def same_fact(left: str, right: str) -> bool:
    """Whether two concept texts that are alike differ in wording only; see the module's first lines."""
    if _numbers(left) != _numbers(right):
        return False
    our_title, _, our_statement = left.partition("\n")
    their_title, _, their_statement = right.partition("\n")
    return _content(our_title) == _content(their_title) or _content(our_statement) == _content(their_statement)


def decide_lesson(drawn: LessonSketch, codes: Sequence[Known], explanations: Sequence[Known]) -> Decision:
    """Whether the lesson repeats one whose code and explanation were both proposed."""
    same_code = {known.owner for known in codes if known.text == drawn.code.text}
    closest = 0.0
    for known in explanations:
        similarity = jaccard(drawn.explanation.text, known.text)
        if similarity >= THRESHOLD and known.owner in same_code:
            return Decision(known.owner, similarity)
        closest = max(closest, similarity)
    return Decision("", closest)


def _content(text: str) -> list[str]:
    """The words that carry meaning, in order, without the s of a plural."""
    plural = "s"
    return [
        word[:-1] if len(word) >= _SHORTEST_PLURAL and word.endswith(plural) and word[-2] != plural else word
        for word in text.split()
        if word not in _EMPTY
    ]


def _sketch(normalised: str, key: str) -> Sketch:
    signature = _signature(normalised)
    rows = PERMUTATIONS // BANDS
    salt = _hash("key", key)
    bands = tuple(_band(salt, index, signature[index * rows : (index + 1) * rows]) for index in range(BANDS))
    return Sketch(normalised, signature, bands)


def _signature(normalised: str) -> tuple[int, ...]:
    minhash = RMinHash(num_perm=PERMUTATIONS, seed=_SEED)
    minhash.update(sorted(_shingles(normalised)))
    return tuple(minhash.digest())


def _numbers(text: str) -> list[str]:
    return _NUMBER.findall(text)


def _shingles(text: str) -> set[str]:
    words = text.split()
    if len(words) <= SHINGLE_WORDS:
        return {" ".join(words)}
    return {" ".join(words[start : start + SHINGLE_WORDS]) for start in range(len(words) - SHINGLE_WORDS + 1)}


def _band(salt: int, index: int, rows: Iterable[int]) -> int:
    data = salt.to_bytes(8, "big", signed=True) + b"".join(row.to_bytes(4, "big") for row in (index, *rows))
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big", signed=True)


def _hash(purpose: str, text: str) -> int:
    data = f"{purpose}\0{text}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big", signed=True)
