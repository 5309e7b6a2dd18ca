"""An own model as a candidate: trained, or as it was drawn before its first step; it learns nothing here."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch.nn import functional

from trainer import manifest
from trainer.bytes import BYTES
from trainer.config import RunConfig
from trainer.decode.choose import Choice, decoder_for
from trainer.decode.decoder import Decoder
from trainer.encoding import of_conversation
from trainer.errors import DataError
from trainer.evaluation.candidate import Answer, Asking
from trainer.evaluation.questions import Question, Suite
from trainer.evaluation.telling import Telling, tell
from trainer.evaluation.withhold import root_of
from trainer.generate import Reader, load_model, prompt_ids
from trainer.memory.facts import Facts
from trainer.memory.known import questions_like, questions_of
from trainer.model import LanguageModel
from trainer.sampling import Sampler, Sampling, log_probabilities

_PIECE: Final = 256  # ids of a question in one forward pass
_KNOWN: Final = 64  # questions spread over the training data that what is told is told apart from, beside like ones
_UNTRAINED_BYTES: Final = 32  # of an answer
_TRAIN_SPLIT: Final = frozenset({Suite.SEEN, Suite.PARAPHRASES, Suite.PARAMETERS})


@dataclass(frozen=True, slots=True)
class Student:
    """See Candidate."""

    name: str
    model: LanguageModel
    decoder: Decoder  # the model's
    fingerprint: str
    choice: Choice  # of the decoder
    studied: frozenset[Suite] = frozenset()
    parallel: int = 1
    longest: int | None = None  # bytes at which its answers are cut, beside what is asked for

    def answer(self, question: str, asking: Asking) -> Answer:
        """See Candidate; an answer that is not UTF-8 has replacement characters."""
        began = time.perf_counter()
        reader = Reader.of(self.decoder, prompt_ids(question.encode(), chat=True))
        sampler = Sampler(Sampling(asking.temperature), asking.seed)
        most = asking.most if self.longest is None else min(asking.most, self.longest)
        said, nats, complete = bytearray(), 0.0, False
        first: float | None = None
        while not complete and len(said) < most:
            chosen = sampler.choose(reader.logits)
            nats -= float(log_probabilities(reader.logits)[chosen])
            first = time.perf_counter() - began if first is None else first
            complete = chosen >= BYTES
            if not complete:
                said.append(chosen)
                reader.logits = self.decoder.read(reader.memory, np.array([chosen]))[0]
        text = said.decode(errors="replace")
        return Answer(text, -nats / (len(said) + complete), first, time.perf_counter() - began, complete)

    @torch.inference_mode()
    def nats(self, question: str, answer: str) -> float:
        """See Candidate."""
        document = of_conversation([("user", question), ("assistant", answer)], "answers")
        ids = torch.from_numpy(document.ids.astype("int64"))[None].to(self.model.head.weight.device)
        costs, state = 0.0, None
        for start in range(0, ids.shape[1] - 1, _PIECE):
            piece = ids[:, start : min(start + _PIECE, ids.shape[1] - 1)]
            logits, state = self.model(piece, None, state)
            targets = ids[0, start + 1 : start + 1 + piece.shape[1]]
            weights = torch.from_numpy(document.weights[start + 1 : start + 1 + piece.shape[1]]).to(targets.device)
            costs += float((functional.cross_entropy(logits[0], targets, reduction="none") * weights).sum())
        return costs


def student(name: str, model: LanguageModel, choice: Choice, known: frozenset[Suite] = frozenset()) -> Student:
    """A candidate that answers with the model, decoded as `decode/choose.py` says."""
    fingerprint = f"{choice} {_fingerprint(model)}"
    return Student(name, model, decoder_for(model, choice), fingerprint, choice, known)


def trained(run_folder: Path, dataset_root: str, choice: Choice) -> Student:
    """The best model of a run, with the facts that it was told since. Raises CheckpointError when there is none."""
    model, run = load_model(run_folder)
    return student(run_folder.name, model, choice, studied(run, dataset_root))


def remembering(
    run_folder: Path, dataset_root: str, choice: Choice, questions: Sequence[Question]
) -> tuple[Student, Student, Telling]:
    """The best model of a run without its memory, the same when it was told answers, and which those are.

    Raises:
        CheckpointError: there is no model.
        ConfigError: it has no fact memory.

    """
    (plain, run), (model, _) = load_model(run_folder), load_model(run_folder)
    plain.recall = None
    known = studied(run, dataset_root)
    apart_from = [*questions_of(run.data, _KNOWN), *questions_like(run.data, [one.prompt for one in questions])]
    telling = tell(model, questions, list(dict.fromkeys(apart_from)))
    without = student(f"{run_folder.name}, memory off", plain, choice, known)
    return without, student(f"{run_folder.name}, memory on", model, choice, known), telling


def untrained(of: Student) -> Student:
    """The same model before its first step: what its size and shape give without any learning.

    It never ends an answer, so its answers are cut; none is right, however long it goes on.
    """
    torch.manual_seed(0)
    model = LanguageModel(of.model.shape).eval()
    name = f"{of.name.removesuffix(', memory off')}, untrained"
    return replace(student(name, model, of.choice), longest=_UNTRAINED_BYTES)


def studied(run: RunConfig, dataset_root: str) -> frozenset[Suite]:
    """What the run was trained on: nothing of the dataset, its lessons, or its whole training split."""
    folder = Path(run.data.path)
    if root_of(folder):
        return frozenset({Suite.SEEN}) if root_of(folder) == dataset_root else frozenset()
    try:
        whole = manifest.is_dataset(folder) and manifest.check_files(folder) == dataset_root
    except DataError:  # it has moved or changed since; then nothing is known of it
        return frozenset()
    return _TRAIN_SPLIT if whole else frozenset()


def _fingerprint(model: LanguageModel) -> str:
    """Of the weights, of what was told, and of how far each entry's gate opens."""
    digest, weights = hashlib.sha256(), model.state_dict()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    if isinstance(model.recall, Facts):
        digest.update(repr(model.recall.facts).encode())
        digest.update(model.recall.entries.nearest.cpu().numpy().tobytes())
    return digest.hexdigest()
