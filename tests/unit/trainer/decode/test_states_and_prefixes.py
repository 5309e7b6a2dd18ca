"""Saved states go on bit for bit, what was read before is not read again, and nothing grows without bound."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.unit.trainer.decode.models import SHAPES, model_of
from trainer.bytes import BYTES, encode
from trainer.decode.compiled import CompiledDecoder
from trainer.decode.decoder import PIECE, Decoder, read_in_pieces
from trainer.decode.eager import EagerDecoder
from trainer.decode.prefix_cache import PrefixCache
from trainer.decode.state_file import fingerprint, load_state, save_state
from trainer.errors import CheckpointError

MODEL = model_of(mixers=("mamba", "attention"), **SHAPES["even"])
DECODERS = [CompiledDecoder(MODEL), EagerDecoder(MODEL)]
TEXT = np.random.default_rng(2).integers(0, BYTES, 8 * PIECE)


@pytest.mark.parametrize("decoder", DECODERS, ids=["compiled", "eager"])
def test_a_state_comes_back_from_its_file_bit_for_bit(decoder: Decoder, tmp_path) -> None:
    memory = decoder.begin()
    decoder.read(memory, TEXT[:100])
    save_state(tmp_path / "a.safetensors", decoder.export(memory), fingerprint(MODEL))
    returned = decoder.restore(load_state(tmp_path / "a.safetensors", fingerprint(MODEL)))
    assert np.array_equal(decoder.read(returned, TEXT[100:120]), decoder.read(memory, TEXT[100:120]))
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_state_of_another_model_or_a_damaged_one_is_refused(tmp_path) -> None:
    decoder, path = DECODERS[0], tmp_path / "a.safetensors"
    memory = decoder.begin()
    decoder.read(memory, TEXT[:10])
    save_state(path, decoder.export(memory), fingerprint(MODEL))
    other = fingerprint(model_of(mixers=("mamba",), **SHAPES["even"]))
    with pytest.raises(CheckpointError, match="of another model"):
        load_state(path, other)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CheckpointError, match="save it anew"):
        load_state(path, fingerprint(MODEL))
    with pytest.raises(CheckpointError, match="name a state that was saved"):
        load_state(tmp_path / "none", fingerprint(MODEL))


prompts = some.lists(
    some.tuples(some.sampled_from([0, PIECE, 2 * PIECE, 3 * PIECE, 3 * PIECE + 5]), some.integers(1, 2 * PIECE)),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize("decoder", DECODERS, ids=["compiled", "eager"])
@given(shapes=prompts)
@settings(max_examples=12, deadline=None)
def test_going_on_from_a_prefix_is_reading_all_of_it_bit_for_bit(
    decoder: Decoder, shapes: list[tuple[int, int]]
) -> None:
    room = PrefixCache(decoder, every=PIECE, most=6 * decoder.begin().size + 400_000)
    for shared, own in shapes:
        prompt = np.concatenate([TEXT[:shared], TEXT[own : own + own]]).astype(np.uint16)
        reader = room.read(prompt)
        memory = decoder.begin()
        assert np.array_equal(reader.logits, read_in_pieces(decoder, memory, prompt.astype(np.int64)))
        assert reader.memory.position == len(prompt)


def test_a_prefix_that_was_read_is_not_read_again_and_is_not_changed_by_its_readers() -> None:
    decoder = CompiledDecoder(MODEL)
    cache = PrefixCache(decoder, every=PIECE)
    prompt = TEXT[: 3 * PIECE + 10].astype(np.uint16)
    first = cache.read(prompt)
    decoder.read(first.memory, TEXT[:50])  # this reader goes on
    assert (len(cache), cache.saved) == (3, 0)
    assert np.array_equal(cache.read(prompt).logits, first.logits)
    assert cache.saved == 3 * PIECE
    cache.read(np.concatenate([prompt[: 2 * PIECE], encode(b"x" * 100)]))
    assert cache.saved == 5 * PIECE
    cache.read(prompt[: 2 * PIECE])  # its last piece is always read, for the logits
    assert cache.saved == 6 * PIECE


def test_the_memories_that_were_not_used_for_the_longest_time_make_room() -> None:
    decoder = CompiledDecoder(MODEL)
    size = decoder.begin().size
    cache = PrefixCache(decoder, every=PIECE, most=3 * size)
    for number in range(20):
        cache.read(np.concatenate([encode(bytes([number]) * PIECE), encode(b"abc")]))
        assert cache.size == min(number + 1, 3) * size
        assert len(cache) == min(number + 1, 3)
    before = cache.saved
    for number in (19, 18, 17, 0):
        cache.read(np.concatenate([encode(bytes([number]) * PIECE), encode(b"d")]))
    assert cache.saved - before == 3 * PIECE
    assert len(cache._root.children) == 3


def test_a_cache_without_room_keeps_nothing() -> None:
    decoder = CompiledDecoder(MODEL)
    cache = PrefixCache(decoder, every=PIECE, most=0)
    cache.read(TEXT[: 3 * PIECE].astype(np.uint16))
    assert (len(cache), cache.size, cache._root.children) == (0, 0, {})
