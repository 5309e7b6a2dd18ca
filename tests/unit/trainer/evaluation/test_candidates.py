"""Own models and the n-gram baseline: what they say, what it costs, and what they were trained on."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from tests.unit.trainer.evaluation.datasets import exported
from tests.unit.trainer.runs import tiny_run
from trainer.bytes import VOCABULARY
from trainer.config import ModelConfig
from trainer.encoding import of_conversation
from trainer.evaluation import student
from trainer.evaluation.candidate import Asking
from trainer.evaluation.ngram import Ngram
from trainer.evaluation.questions import Suite
from trainer.evaluation.withhold import root_of, withhold
from trainer.loop import train
from trainer.manifest import check_files
from trainer.model import LanguageModel
from trainer.shape import shape_of

CAPITALS = [("Capital of France?", "Paris"), ("Capital of Italy?", "Rome"), ("Capital of Peru?", "Lima")]


def counted(order: int = 6) -> Ngram:
    model = Ngram(order)
    model.learn(
        [of_conversation([("user", question), ("assistant", answer)], "answers") for question, answer in CAPITALS]
    )
    return model


def random_model() -> LanguageModel:
    torch.manual_seed(3)
    model = LanguageModel(shape_of(ModelConfig(mixers=("mamba",), width=16, layers=1, states=4), 32))
    torch.nn.init.normal_(model.head.weight, std=0.4)
    return model.eval()


def test_an_ngram_model_says_what_it_counted_and_stops() -> None:
    for question, answer in CAPITALS:
        said = counted().answer(question, Asking(most=50))
        assert (said.text, said.complete) == (answer, True)
        assert said.log_probability is not None and said.log_probability < 0


def test_the_probabilities_of_an_ngram_model_sum_to_one_and_forget_nothing() -> None:
    model = counted()
    for context in ([], [1, 2, 3], list(b"Capital of Peru?")):
        chances = model.probabilities(context)
        assert math.fsum(chances) == pytest.approx(1.0) and min(chances) > 0
    assert model.nats("Capital of Peru?", "Lima") < model.nats("Capital of Peru?", "Rome") < math.inf


def test_witten_bell_by_hand() -> None:
    """After "a" came b, b and c: 2 kinds in 3; below it b has 2 of 4 in 3 kinds, over 264 equal ids."""
    model = Ngram(order=2)
    document = of_conversation([("user", "a"), ("assistant", "")], "all")
    ids = document.ids.copy().repeat(1)[:2]
    for second in (98, 98, 99):
        ids = ids.copy()
        ids[0], ids[1] = 97, second
        model.learn([dataclasses.replace(document, ids=ids, weights=document.weights[:2])])
    below = (2 + 2 / VOCABULARY) / (3 + 2)  # of b among all ids: twice in three, two kinds
    assert model.probabilities([97])[98] == pytest.approx((2 + 2 * below) / (3 + 2))


def test_a_students_nats_are_those_of_its_answer_and_confidence_is_their_mean() -> None:
    candidate = student.student("s", random_model(), "eager")
    said = candidate.answer("Why?", Asking(most=12))
    if said.complete and said.log_probability is not None:
        expected = -candidate.nats("Why?", said.text) / (len(said.text.encode()) + 1)
        assert said.log_probability == pytest.approx(expected, rel=1e-4)
    long = candidate.nats("Why? " * 200, "Because. " * 100)
    assert long == pytest.approx(900 * math.log(VOCABULARY), rel=0.5)


def test_samples_differ_and_the_most_likely_answer_does_not() -> None:
    candidate = student.student("s", random_model(), "eager")
    assert candidate.answer("Why?", Asking(8)).text == candidate.answer("Why?", Asking(8, seed=7)).text
    drawn = {candidate.answer("Why?", Asking(8, temperature=2.0, seed=seed)).text for seed in range(5)}
    assert len(drawn) > 1


@pytest.mark.parametrize("path", ["lessons", "dataset", "corpus"])
def test_what_a_student_was_trained_on_is_known(tmp_path: Path, path: str) -> None:
    dataset = exported(tmp_path, 20)
    withhold(dataset, tmp_path / "lessons")
    form = "text" if path == "corpus" else "messages"
    run = tiny_run(tmp_path, data={"path": path, "form": form}, training={"steps": 1, "evaluate_every": 1})
    train(run, lambda _: None)
    root = check_files(dataset)
    assert root == root_of(tmp_path / "lessons")
    found = student.trained(tmp_path / "out", root, "eager")
    train_split = {Suite.SEEN, Suite.PARAPHRASES, Suite.PARAMETERS}
    assert found.studied == {"lessons": {Suite.SEEN}, "dataset": train_split, "corpus": set()}[path]
    assert student.studied(run, "another root") == frozenset()
    fresh = student.untrained(found)
    assert fresh.fingerprint != found.fingerprint and fresh.studied == frozenset()
    assert student.untrained(found).fingerprint == fresh.fingerprint
