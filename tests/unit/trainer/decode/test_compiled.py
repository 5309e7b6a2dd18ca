"""The compiled decoder says what the model says, and the same bits however ids are cut and threads share the work."""

import functools

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.trainer.decode.models import PARTS, SHAPES, model_of
from trainer.bytes import VOCABULARY
from trainer.decode.choose import decoder_for
from trainer.decode.compiled import CompiledDecoder
from trainer.decode.eager import EagerDecoder
from trainer.decode.plan import plan_of
from trainer.decode.program import NotPlanned, quantized
from trainer.layers.block import mixer_names
from trainer.model import LanguageModel
from trainer.ops import build

LENGTH = 90
IDS = np.random.default_rng(1).integers(0, VOCABULARY, LENGTH)


MODELS = [(part, shape) for part in PARTS for shape in SHAPES if shape != "bare" or "mixers" in part]


@pytest.fixture(scope="module", params=MODELS, ids=str)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    part, shape = request.param
    return model_of(**part, **SHAPES[shape])


@functools.cache
def stepped(model: LanguageModel) -> np.ndarray:
    state, rows = model.initial_state(1), []
    with torch.inference_mode():
        for each in IDS:
            logits, state = model.step(torch.tensor([each]), state)
            rows.append(logits[0].numpy())
    return np.stack(rows)


@pytest.mark.parametrize("instructions", ["avx512", "avx2", "scalar"])
def test_it_says_what_the_model_s_own_step_says(
    model: LanguageModel, instructions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if list(build.INSTRUCTION_SETS).index(instructions) < list(build.INSTRUCTION_SETS).index(build.instruction_set()):
        pytest.skip("this processor does not have them")
    monkeypatch.setenv(build.INSTRUCTION_SET_VARIABLE, instructions)
    decoder = CompiledDecoder(model)
    expected = stepped(model)
    assert np.abs(expected).max() > 1
    memory = decoder.begin()
    found = np.concatenate([decoder.read(memory, IDS[at : at + 1]) for at in range(LENGTH)])
    np.testing.assert_allclose(found, expected, atol=5e-5)


def test_ids_read_together_or_one_by_one_or_by_more_threads_give_the_same_bits(model: LanguageModel) -> None:
    for weights in ("float32", "int8"):
        decoders = [CompiledDecoder(model, weights, threads) for threads in (1, 1, 2)]
        results = []
        for decoder, cuts in zip(decoders, (range(1, LENGTH), [1, 2, 3, 7, 16, 33], [64]), strict=True):
            memory = decoder.begin()
            rows = [decoder.read(memory, part) for part in np.split(IDS, cuts)]
            results.append((np.concatenate(rows), memory.values.view(np.uint32)))  # half a double may be no number
        for logits, values in results[1:]:
            assert np.array_equal(logits, results[0][0])
            assert np.array_equal(values, results[0][1])


def test_its_memory_is_the_model_s_state_and_comes_back_from_it(model: LanguageModel) -> None:
    compiled, eager = CompiledDecoder(model), EagerDecoder(model)
    first, second = compiled.begin(), eager.begin()
    compiled.read(first, IDS[:60])
    eager.read(second, IDS[:60])
    expected, found = eager.export(second).tensors(), compiled.export(first).tensors()
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        largest = tensor.abs().max().item()  # what is small there is what is left of larger numbers
        torch.testing.assert_close(found[name], tensor, atol=max(5e-5, 2e-6 * largest), rtol=1e-5)
    returned = compiled.restore(compiled.export(first))
    assert np.array_equal(compiled.read(returned, IDS[60:]), compiled.read(first.fork(), IDS[60:]))
    handed_over = eager.restore(compiled.export(first))
    np.testing.assert_allclose(eager.read(handed_over, IDS[60:]), compiled.read(first, IDS[60:]), atol=1e-4)


def test_a_fork_goes_its_own_way(model: LanguageModel) -> None:
    decoder = CompiledDecoder(model)
    memory = decoder.begin()
    decoder.read(memory, IDS[:30])
    fork = memory.fork()
    decoder.read(fork, IDS[60:])
    expected = decoder.begin()
    decoder.read(expected, IDS[:30])
    assert np.array_equal(decoder.read(memory, IDS[30:60]), decoder.read(expected, IDS[30:60]))


def test_a_memory_goes_back_to_what_it_was(model: LanguageModel) -> None:
    decoder = CompiledDecoder(model)
    memory = decoder.begin()
    for at in range(0, LENGTH - 12, 5):
        before = memory.values.view(np.uint32).copy()
        back = memory.back(12)
        decoder.read(memory, IDS[at : at + 12])
        assert not np.array_equal(memory.values.view(np.uint32), before)
        back()
        assert (memory.position, np.array_equal(memory.values.view(np.uint32), before)) == (at, True)
        decoder.read(memory, IDS[at : at + 5])


@pytest.mark.parametrize("name", mixer_names())
def test_every_mixer_decodes_one_way_or_the_other_as_the_model_does(name: str) -> None:
    model = model_of(mixers=(name,), **SHAPES["even"])
    decoder = decoder_for(model, "float32")
    memory = decoder.begin()
    found = np.concatenate([decoder.read(memory, IDS[at : at + 1]) for at in range(LENGTH)])
    np.testing.assert_allclose(found, stepped(model), atol=1e-4)


def test_what_follows_later_ids_is_predicted_too() -> None:
    model = model_of(mixers=("mamba",), ahead=2, **SHAPES["odd"])
    compiled, eager = CompiledDecoder(model), EagerDecoder(model)
    (logits, ahead), (expected, expected_ahead) = (each.read_ahead(each.begin(), IDS) for each in (compiled, eager))
    assert ahead.shape == (LENGTH, 2, VOCABULARY)
    np.testing.assert_allclose(logits, expected, atol=5e-5)
    np.testing.assert_allclose(ahead, expected_ahead, atol=5e-5)
    assert np.array_equal(logits, compiled.read(compiled.begin(), IDS))


def test_a_layer_that_changed_since_its_layout_is_decoded_eagerly(caplog: pytest.LogCaptureFixture) -> None:
    model = model_of(mixers=("mamba",), **SHAPES["even"])
    mixer = model.layers()[0].mixer
    mixer.register_forward_hook(lambda _module, _inputs, outputs: (2 * outputs[0], outputs[1]))
    decoder = decoder_for(model)
    assert isinstance(decoder, EagerDecoder)
    assert "its compiled form differs by" in caplog.text


def test_a_parameter_that_no_instruction_reads_is_noticed() -> None:
    model = model_of(mixers=("mamba",), **SHAPES["even"])
    model.layers()[1].mixer.register_parameter("temperature", nn.Parameter(torch.ones(1)))
    with pytest.raises(NotPlanned, match=r"no instruction reads blocks\.1\.mixer\.temperature"):
        plan_of(model, small=False)


def test_without_a_compiler_it_is_decoded_eagerly(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path))
    assert isinstance(decoder_for(model_of(**SHAPES["even"])), EagerDecoder)


def test_int8_weights_are_within_half_a_step_of_the_real_ones() -> None:
    matrix = np.random.default_rng(0).normal(size=(7, 33)).astype(np.float32)
    matrix[3] = 0
    whole, scales = quantized(matrix)
    assert np.abs(whole * scales[:, None] - matrix).max() <= 0.5001 * scales.max()
    assert np.abs(whole).max() == 127


def test_ids_beyond_the_vocabulary_are_refused() -> None:
    decoder = CompiledDecoder(model_of(**SHAPES["even"]))
    for wrong in (-1, VOCABULARY):
        with pytest.raises(IndexError, match="between 0 and 263"):
            decoder.read(decoder.begin(), np.array([wrong]))
