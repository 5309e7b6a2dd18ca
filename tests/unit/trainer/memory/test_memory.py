"""Facts written after training are answered at once, harm nothing learnt before, are kept, fetched and consolidated."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from trainer.config import ModelConfig
from trainer.errors import CheckpointError, ConfigError, DataError
from trainer.generate import prompt_ids
from trainer.memory import saving
from trainer.memory.consolidation import consolidate, hottest
from trainer.memory.facts import Entries, Fact, Facts, recalled
from trainer.memory.learning import answer_of, batch_of, exactly_answered, learn
from trainer.memory.prefetch import Prefetch
from trainer.memory.writing import new_facts, rewrite, write
from trainer.model import LanguageModel
from trainer.shape import shape_of

KNOWN = (
    Fact("What is the capital of France?", "Paris."),
    Fact("What is 12 times 12?", "144."),
    Fact("Who wrote Hamlet?", "Shakespeare."),
    Fact("Which gas do plants take in?", "Carbon dioxide."),
)
ADDED = (
    Fact("What is the capital of Norway?", "Oslo, by the sea.", "places"),
    Fact("What is 12 times 11?", "132.", "numbers"),
    Fact("Who wrote Faust?", "Goethe, in Weimar.", "books"),
)


@pytest.fixture(scope="module")
def trained() -> LanguageModel:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = ModelConfig(recipe="ghost_memory", width=64, layers=3, head_width=32, states=4, stride=16)
    model = LanguageModel(shape_of(config, context=128))
    assert all(learn(model, KNOWN, most_steps=120).exact)
    return model


@pytest.fixture
def model(trained: LanguageModel) -> Iterator[LanguageModel]:
    yield trained
    trained.recall = None


@pytest.fixture
def facts(model: LanguageModel) -> Facts:
    found = new_facts(model, KNOWN)
    write(model, found, ADDED)
    return found


def test_a_fact_is_answered_as_soon_as_it_is_written_and_no_weight_has_changed(model: LanguageModel) -> None:
    before = saving.fingerprint(model)
    assert not any(exactly_answered(model, ADDED))
    facts = new_facts(model, KNOWN)
    model.recall = facts
    for fact in ADDED:
        write(model, facts, [fact])
        assert answer_of(model, fact.question) == fact.answer
    assert all(exactly_answered(model, ADDED))
    assert saving.fingerprint(model) == before


def test_what_was_learnt_is_not_harmed(model: LanguageModel, facts: Facts) -> None:
    """The answers stay, and so do the probabilities of every id of them, nearly."""
    batch = batch_of(KNOWN)
    with torch.inference_mode():
        without = model(batch.ids, batch.segments)[0].log_softmax(-1)
        model.recall = facts
        with_facts = model(batch.ids, batch.segments)[0].log_softmax(-1)
    assert all(exactly_answered(model, KNOWN))
    learnt = batch.weights > 0
    chosen = [each.gather(-1, batch.targets[..., None])[..., 0][learnt] for each in (without, with_facts)]
    assert float((chosen[0] - chosen[1]).abs().max()) < 0.01


def test_a_later_fact_replaces_one_with_the_same_question_and_may_be_forgotten(
    model: LanguageModel, facts: Facts
) -> None:
    model.recall = facts
    changed = Fact(ADDED[0].question, "Bergen.")
    write(model, facts, [changed])
    assert answer_of(model, changed.question) == "Bergen."
    assert len(facts.facts) == len(facts.uses) == 3
    facts.without([changed.question, "never asked"])
    assert [fact.question for fact in facts.facts] == [fact.question for fact in ADDED[1:]]
    assert answer_of(model, changed.question) != "Bergen."
    assert exactly_answered(model, ADDED[1:]) == (True, True)


def test_a_fact_may_correct_what_was_learnt(model: LanguageModel, facts: Facts) -> None:
    model.recall = facts
    write(model, facts, [Fact("Who wrote Hamlet?", "Marlowe.")])
    assert answer_of(model, "Who wrote Hamlet?") == "Marlowe."
    assert all(exactly_answered(model, ADDED))


def test_what_the_model_cannot_tell_apart_is_refused_and_nothing_is_lost(model: LanguageModel, facts: Facts) -> None:
    twin = LanguageModel(model.shape)  # its weights say nothing: zero layers, and embeddings made equal
    with torch.no_grad():
        twin.embedding.weight.copy_(twin.embedding.weight[:1].expand_as(twin.embedding.weight))
    empty = new_facts(twin)
    with pytest.raises(DataError, match="word it differently"):
        write(twin, empty, ADDED)
    assert not empty.facts and not len(empty.entries.ids)


def test_a_like_question_narrows_the_gate_so_that_the_fact_is_not_recalled_for_it(model: LanguageModel) -> None:
    fact, like = ADDED[1], Fact("What is 12 times 10?", "120.")
    wide, narrow = new_facts(model), new_facts(model, [like])
    for facts in (wide, narrow):
        write(model, facts, [fact])
    assert bool((narrow.entries.nearest >= wide.entries.nearest).all())
    assert float(narrow.entries.nearest[0]) > float(wide.entries.nearest[0])
    before = answer_of(model, like.question)
    model.recall = narrow
    assert (answer_of(model, fact.question), answer_of(model, like.question)) == (fact.answer, before)


def test_a_model_without_a_memory_takes_no_facts() -> None:
    model = LanguageModel(shape_of(ModelConfig(recipe="ghost", width=32, layers=1, head_width=16), 32))
    with pytest.raises(ConfigError, match="ghost_memory"):
        new_facts(model)


def test_the_gate_is_a_mixture_that_leaves_probabilities_that_sum_to_one() -> None:
    logits = torch.randn(1, 2, 5)
    odds = torch.tensor([[[20.0, -20.0], [-20.0, -30.0]]])
    mixed = recalled(logits, odds, torch.tensor([3, 1])).exp()
    assert mixed.sum(-1)[0].tolist() == pytest.approx([1.0, 1.0])
    assert float(mixed[0, 0, 3]) > 0.999
    torch.testing.assert_close(mixed[0, 1], logits[0, 1].softmax(-1), atol=1e-6, rtol=1e-4)


def test_openness_is_certain_at_the_key_and_shut_at_the_nearest_other_context() -> None:
    key = torch.tensor([[1.0, 0.0]])
    entries = Entries(key, torch.tensor([1]), torch.tensor([0]), torch.tensor([0.6]))
    odds = entries.openness(torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]]))[:, 0]
    assert odds.tolist()[:3] == pytest.approx([8.0, 0.0, -8.0], abs=1e-4)
    assert odds[3] < -16


def test_saved_facts_are_recalled_by_a_fresh_process_with_their_uses(
    model: LanguageModel, facts: Facts, tmp_path: Path
) -> None:
    model.recall = facts
    answer_of(model, ADDED[1].question)
    assert facts.uses == [0, 1, 0]
    saving.save(model, facts, tmp_path)
    other = copy.deepcopy(model)
    saving.attach(other, tmp_path)
    assert isinstance(other.recall, Facts)
    assert (other.recall.facts, other.recall.uses, other.recall.known) == (list(ADDED), [0, 1, 0], list(KNOWN))
    assert torch.equal(other.recall.entries.keys, facts.entries.keys)
    assert all(exactly_answered(other, ADDED))


def test_facts_of_other_weights_are_written_anew_and_damage_is_named(
    model: LanguageModel, facts: Facts, tmp_path: Path
) -> None:
    saving.save(model, facts, tmp_path)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in other.blocks.parameters():
            weight.mul_(1.05)
    saving.attach(other, tmp_path)
    assert isinstance(other.recall, Facts)
    assert not torch.equal(other.recall.entries.keys, facts.entries.keys)
    assert all(exactly_answered(other, ADDED))
    path = tmp_path / "facts.safetensors"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(CheckpointError, match="write the facts anew"):
        saving.attach(other, tmp_path)
    path.unlink()
    assert saving.load(other, tmp_path) is None


def test_prefetch_answers_alike_compares_less_and_foresees_the_next_topic(model: LanguageModel, facts: Facts) -> None:
    prefetch = Prefetch(facts)
    asked = [ADDED[0], ADDED[1]] * 3
    model.recall = prefetch
    for fact in asked:
        assert answer_of(model, fact.question) == fact.answer
    assert prefetch.near() == ["numbers", "places"]
    assert (prefetch.hits, prefetch.misses) == (3, 2)  # the first change each way is news
    read = sum(len(prompt_ids(fact.question.encode(), chat=True)) + len(fact.answer) for fact in asked)
    assert prefetch.compared < 0.9 * read * len(facts.entries.ids)
    assert answer_of(model, ADDED[2].question) == ADDED[2].answer  # a topic that was not expected is fetched
    assert prefetch.misses == 3


def test_hot_facts_are_consolidated_into_the_weights_and_leave_the_memory(trained: LanguageModel) -> None:
    model = copy.deepcopy(trained)
    facts = new_facts(model, KNOWN)
    write(model, facts, ADDED)
    model.recall = facts
    for fact in (ADDED[1], ADDED[1], ADDED[2]):
        answer_of(model, fact.question)
    assert hottest(facts, 5) == [1, 2]
    learnt = consolidate(model, facts, most=1)
    assert all(learnt.exact)
    assert [fact.question for fact in facts.facts] == [ADDED[0].question, ADDED[2].question]
    assert facts.uses == [0, 1]
    assert all(exactly_answered(model, (*KNOWN, *ADDED)))  # with what is left in memory
    model.recall = None
    assert exactly_answered(model, (*KNOWN, ADDED[1])) == (True,) * 5  # by the weights alone
    assert not any(exactly_answered(model, (ADDED[0], ADDED[2])))


def test_without_a_recall_there_is_nothing_to_consolidate(model: LanguageModel, facts: Facts) -> None:
    before = saving.fingerprint(model)
    assert consolidate(model, facts, most=3).steps == 0
    assert saving.fingerprint(model) == before
    rewrite(model, facts)
    model.recall = facts
    assert all(exactly_answered(model, ADDED))
