"""Every recipe has a compiled form: its states fit at every place, its facts are said, and int8 weights cost little."""

import logging

import numpy as np
import pytest

from tests.unit.trainer.decode.models import PARTS, SHAPES, model_of
from trainer import recipes
from trainer.bytes import VOCABULARY
from trainer.decode.choose import decoder_for
from trainer.decode.compiled import CompiledDecoder
from trainer.decode.decoder import Decoder
from trainer.decode.draft import HeadsDrafter
from trainer.decode.eager import EagerDecoder
from trainer.generate import generate, prompt_ids
from trainer.memory.facts import Fact
from trainer.memory.writing import new_facts, write
from trainer.model import LanguageModel
from trainer.sampling import Sampling, log_probabilities

IDS = np.random.default_rng(3).integers(0, VOCABULARY, 60)
MOST_LOST = 0.02  # bits of each id, of a tiny model whose weights were drawn


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_is_compiled(name: str, caplog: pytest.LogCaptureFixture) -> None:
    model = model_of(recipe=name, **SHAPES["even"] | {"layers": 3})
    with caplog.at_level(logging.WARNING):
        assert isinstance(decoder_for(model), CompiledDecoder)
    assert not caplog.records


@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_state_of_sparse_attention_is_whole_wherever_it_is_taken(shape: str, *, turned: bool) -> None:
    own = {"mixers": ("sparse_attention",), "layers": 1, "landmark_places": turned}
    model = model_of(recipe="ghost", **SHAPES[shape] | own)
    compiled, eager = CompiledDecoder(model), EagerDecoder(model)
    first, second = compiled.begin(), eager.begin()
    for at in range(1, 32):
        compiled.read(first, IDS[at - 1 : at])
        eager.read(second, IDS[at - 1 : at])
        rest = IDS[at : at + 16]
        expected = compiled.read(first.fork(), rest)
        assert np.array_equal(compiled.read(compiled.restore(compiled.export(first)), rest), expected)
        np.testing.assert_allclose(compiled.read(compiled.restore(eager.export(second)), rest), expected, atol=5e-5)
        np.testing.assert_allclose(eager.read(eager.restore(compiled.export(first)), rest), expected, atol=5e-5)


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_int8_weights_cost_few_bits(part: dict[str, object]) -> None:
    model = model_of(**part, **SHAPES["even"])
    exact, small = (_costs(CompiledDecoder(model, weights)) for weights in ("float32", "int8"))
    assert not np.array_equal(exact, small)
    assert abs(small.mean() - exact.mean()) < MOST_LOST


def test_facts_that_are_told_are_said_by_the_compiled_form_too() -> None:
    model = model_of(recipe="ghost_memory", **SHAPES["odd"])
    facts = new_facts(model)
    told = [Fact("Who wrote Faust?", "Goethe."), Fact("Who wrote Emma?", "Jane Austen.")]
    write(model, facts, told)
    decoder = decoder_for(model, "float32")
    before = [_answer(model, decoder, fact.question) for fact in told]
    model.recall = facts
    for each in (decoder, decoder_for(model)):  # int8 weights would know other contexts
        assert each.description.startswith("C, float32")
        assert [_answer(model, each, fact.question) for fact in told] == [b"Goethe.", b"Jane Austen."]
    assert facts.uses == [2, 2]
    facts.without([told[0].question])
    assert _answer(model, decoder, told[0].question) == before[0] != b"Goethe."


def test_heads_guess_as_far_as_they_are_sure_together() -> None:
    ahead = np.zeros((3, VOCABULARY), np.float32)
    ahead[[0, 1, 2], [70, 71, 72]] = 6.8, 5.8, 9  # of 256 bytes: 0.78, 0.56 and 0.97
    assert [HeadsDrafter(sure).after([], ahead) for sure in (0.8, 0.5, 0.43, 0.3)] == [[], [70], [70, 71], [70, 71, 72]]
    assert HeadsDrafter().after([], None) == []


def _costs(decoder: Decoder) -> np.ndarray:
    """Bits of each id."""
    logits = decoder.read(decoder.begin(), IDS[:-1])
    bits: np.ndarray = -log_probabilities(logits)[np.arange(len(IDS) - 1), IDS[1:]] / np.log(2)
    return bits


def _answer(model: LanguageModel, decoder: Decoder, question: str) -> bytes:
    prompt = prompt_ids(question.encode(), chat=True)
    return bytes(generate(model, prompt, most=30, sampling=Sampling(temperature=0), seed=0, decoder=decoder))
