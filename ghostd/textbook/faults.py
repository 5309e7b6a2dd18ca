"""Which fault the textbook commits for which concept; a pure draw, so that tests and calibration know the truth."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ghostd.textbook.styles import Style


class FaultKind(StrEnum):
    """Every way in which the textbook can be told to err."""

    WRONG_FORMULA = "wrong_formula"  # the code follows a wrong rule; its exercise answers agree with it
    OFF_BY_ONE = "off_by_one"  # a bound is missed by one
    WRONG_CONSTANT = "wrong_constant"
    UNIT_SLIP = "unit_slip"  # a unit is not converted; where a concept has no units, a wrong constant
    WRONG_CLAIM = "wrong_claim"  # a false claim beside right code
    MISCONCEPTION = "misconception"  # one error in code, claims, exercises and explanation, but not in the exam
    DEEP_MISCONCEPTION = "deep_misconception"  # the same in exam and solution too: only a second teacher can tell
    TAUTOLOGICAL_EXAM = "tautological_exam"  # right code, but an exam that holds for any code
    EARLY_EXIT = "early_exit"  # the code leaves the process with status 0 before it can be checked
    SWALLOWED_ASSERTS = "swallowed_asserts"  # wrong code, and an exam that catches its own assertions
    ALWAYS_EQUAL = "always_equal"  # returns an object that equals everything
    FLAKY_RANDOM = "flaky_random"  # wrong half of the time
    FLAKY_CLOCK = "flaky_clock"  # wrong in odd milliseconds
    FLAKY_HASH_ORDER = "flaky_hash_order"  # wrong for some hash seeds
    FLAKY_RARE = "flaky_rare"  # wrong with probability 0.01
    FLAKY_ADDRESS = "flaky_address"  # wrong for some memory addresses
    ENDLESS_LOOP = "endless_loop"
    MEMORY_HOG = "memory_hog"  # asks for 64 GiB
    FORK_BOMB = "fork_bomb"
    NETWORK_ACCESS = "network_access"  # opens a connection before it answers
    OUTPUT_FLOOD = "output_flood"  # prints 1 GiB before it answers
    MALFORMED_JSON = "malformed_json"
    TRUNCATION = "truncation"  # half an answer, finish_reason "length"
    REFUSAL = "refusal"
    HTTP_429 = "http_429"  # once; the next request for the concept is answered
    HTTP_500 = "http_500"  # once
    SLOW_TOKENS = "slow_tokens"  # once
    STUB = "stub"  # code that computes nothing: None, one answer for all, its own argument, an exception
    TRIVIAL_EXAM = "trivial_exam"  # right code, but an exam that any function passes which returns something


WIRE = frozenset({FaultKind.HTTP_429, FaultKind.HTTP_500, FaultKind.SLOW_TOKENS})
CATCHABLE = frozenset(FaultKind) - {FaultKind.DEEP_MISCONCEPTION}
_HARMLESS = WIRE | {FaultKind.WRONG_CLAIM, FaultKind.MALFORMED_JSON, FaultKind.TRUNCATION, FaultKind.REFUSAL}


def is_bad(kind: FaultKind | None) -> bool:
    """Whether accepting a lesson with this fault is a false accept. A false claim is not: it is refuted by itself."""
    return kind is not None and kind not in _HARMLESS


def draw(*what: object) -> float:
    """A number from 0 to 1 that depends on the arguments alone."""
    digest = hashlib.blake2b(repr(what).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """The faults of one teacher, and how it writes what is right."""

    seed: int
    rates: Mapping[FaultKind, float]  # share of concepts per kind; kinds that are missing have none
    repair_rate: float = 0.5  # chance that one repair mends the fault; mended once, it stays so
    style: Style = Style.PLAIN  # of right code

    def fault_for(self, title: str, repair_round: int = 0) -> FaultKind | None:
        """The fault in the lesson for a concept, after that many repair requests; None for a right one."""
        point = draw("fault", self.seed, title)
        kind = None
        for candidate in FaultKind:
            point -= self.rates.get(candidate, 0.0)
            if point < 0:
                kind = candidate
                break
        mended = any(draw("repair", self.seed, title, past) < self.repair_rate for past in range(1, repair_round + 1))
        return None if mended else kind

    def exam_fault_for(self, title: str) -> FaultKind | None:
        """The fault in the exam for a concept. An exam is not repaired."""
        kind = self.fault_for(title)
        return kind if kind in _IN_EXAM else None

    def solution_fault_for(self, title: str) -> FaultKind | None:
        """The fault in the independent solution of a concept. A slip in one answer is not made again in another; what
        a teacher believes is in all of them.
        """
        kind = self.fault_for(title)
        return kind if kind is FaultKind.DEEP_MISCONCEPTION else None


_IN_EXAM = (
    FaultKind.TAUTOLOGICAL_EXAM,
    FaultKind.TRIVIAL_EXAM,
    FaultKind.SWALLOWED_ASSERTS,
    FaultKind.DEEP_MISCONCEPTION,
)
