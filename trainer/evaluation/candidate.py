"""Whoever answers questions: an own model, an n-gram model, an endpoint; the harness knows only this."""

from dataclasses import dataclass
from typing import Protocol

from trainer.evaluation.questions import Suite


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said, and how."""

    text: str
    log_probability: float | None  # mean of the answer's ids or tokens, its end included, in nats; None: not told
    first_byte_seconds: float | None  # from the question to the first byte of the answer; None: nothing was said
    seconds: float  # from the question to the end
    complete: bool = True  # it ended by itself, and was not cut


@dataclass(frozen=True, slots=True)
class Asking:
    """How an answer is asked for."""

    most: int  # bytes of an own model's answer, tokens of an endpoint's
    temperature: float = 0.0  # 0: the most likely answer
    seed: int = 0


class Candidate(Protocol):
    """One contestant."""

    @property
    def name(self) -> str:
        """How tables name it."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever its answers may change: answers kept under another fingerprint are asked anew."""

    @property
    def parallel(self) -> int:
        """How many questions it may be asked at once."""

    @property
    def studied(self) -> frozenset[Suite]:
        """The suites whose questions it was trained on, as far as is known: to them its answers prove memory alone."""

    def answer(self, question: str, asking: Asking) -> Answer:
        """Answers one question. Raises EndpointError when nobody is there to answer."""

    def nats(self, question: str, answer: str) -> float | None:
        """What the wanted answer and its end cost, in nats; None where that cannot be known."""
