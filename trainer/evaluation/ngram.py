"""A byte n-gram model that backs off to shorter contexts: what counting alone achieves, as a baseline.

Probabilities are interpolated after Witten and Bell (1991), method C: a context is trusted the less, the more different
ids it was followed by.
"""

import hashlib
import math
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from trainer.bytes import BYTES, VOCABULARY
from trainer.encoding import Document, of_conversation
from trainer.evaluation.candidate import Answer, Asking
from trainer.evaluation.questions import Suite
from trainer.generate import prompt_ids

_ENDS: Final = frozenset(range(BYTES, VOCABULARY))


@dataclass(slots=True)
class Ngram:
    """See Candidate; counts of what followed each context of up to `order` - 1 ids."""

    order: int = 8
    studied: frozenset[Suite] = frozenset()
    parallel: int = 1
    _followed: dict[tuple[int, ...], Counter[int]] = field(default_factory=dict)
    _learnt: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def name(self) -> str:
        """See Candidate."""
        return f"{self.order}-gram"

    @property
    def fingerprint(self) -> str:
        """See Candidate."""
        return f"{self.order} {self._learnt.hexdigest()}"

    def learn(self, documents: Iterable[Document]) -> None:
        """Counts what follows what; only ids with a weight are counted as following."""
        for document in documents:
            ids = document.ids.tolist()
            self._learnt.update(document.ids.tobytes())
            for place in range(1, len(ids)):
                if document.weights[place]:
                    for length in range(min(self.order, place + 1)):
                        context = tuple(ids[place - length : place])
                        self._followed.setdefault(context, Counter())[ids[place]] += 1

    def probabilities(self, context: list[int]) -> list[float]:
        """Of each id to be next; they sum to 1."""
        chances = [1 / VOCABULARY] * VOCABULARY
        for length in range(min(self.order, len(context) + 1)):
            followed = self._followed.get(tuple(context[len(context) - length :]))
            if followed is None:
                break
            kinds, total = len(followed), followed.total()
            chances = [kinds * chance / (total + kinds) for chance in chances]
            for found, count in followed.items():
                chances[found] += count / (total + kinds)
        return chances

    def answer(self, question: str, asking: Asking) -> Answer:
        """See Candidate."""
        began = time.perf_counter()
        source = random.Random(asking.seed)  # noqa: S311 - samples are no secrets
        context = prompt_ids(question.encode(), chat=True).tolist()
        said, nats, complete = bytearray(), 0.0, False
        first: float | None = None
        while not complete and len(said) < asking.most:
            chances = self.probabilities(context)
            if asking.temperature == 0:
                chosen = max(range(VOCABULARY), key=chances.__getitem__)
            else:
                weights = [chance ** (1 / asking.temperature) for chance in chances]
                chosen = source.choices(range(VOCABULARY), weights)[0]
            nats -= math.log(chances[chosen])
            complete = chosen in _ENDS
            if not complete:
                said.append(chosen)
                context.append(chosen)
            first = time.perf_counter() - began if first is None else first
        text = said.decode(errors="replace")
        return Answer(text, -nats / (len(said) + complete), first, time.perf_counter() - began, complete)

    def nats(self, question: str, answer: str) -> float:
        """See Candidate."""
        document = of_conversation([("user", question), ("assistant", answer)], "answers")
        ids = document.ids.tolist()
        asked = (place for place in range(1, len(ids)) if document.weights[place])
        return -sum(
            math.log(self.probabilities(ids[max(0, place - self.order) : place])[ids[place]]) for place in asked
        )
