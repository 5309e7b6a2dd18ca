"""Generation ends where it should, and guesses change how fast it is written, never what."""

import numpy as np
import pytest
import torch
from torch import nn

from trainer.bytes import BOUNDARY, Ids
from trainer.config import ModelConfig
from trainer.decode.choose import decoder_for
from trainer.decode.draft import HeadsDrafter, LookupDrafter
from trainer.generate import Reader, Writer, generate, prompt_ids
from trainer.model import LanguageModel
from trainer.sampling import Sampler, Sampling
from trainer.shape import shape_of

GREEDY = Sampling(temperature=0)


@pytest.fixture(scope="module")
def alphabet() -> LanguageModel:
    """A model that has learnt the alphabet by heart, and that the text ends after it."""
    torch.manual_seed(0)
    model = LanguageModel(shape_of(ModelConfig(width=32, layers=1, head_width=16, mlp_width=64, ahead=2), 32))
    ids = torch.tensor([[BOUNDARY, *b"abcdefghijklmnopqrstuvwxyz", BOUNDARY]])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        said = model.predict(ids[:, :-1])
        losses = [nn.functional.cross_entropy(said.logits[0], ids[0, 1:])]
        losses += [nn.functional.cross_entropy(said.ahead[0, : -1 - k, k], ids[0, 2 + k :]) for k in range(2)]
        sum(losses).backward()
        optimizer.step()
    return model.eval()


def written(model: LanguageModel, prompt: Ids, most: int = 100, stops: tuple[bytes, ...] = ()) -> bytes:
    return bytes(generate(model, prompt, most=most, sampling=GREEDY, seed=0, stops=stops))


def test_it_ends_at_the_boundary_or_after_as_many_bytes_as_asked(alphabet: LanguageModel) -> None:
    assert written(alphabet, prompt_ids(b"abc", chat=False)) == b"defghijklmnopqrstuvwxyz"
    assert written(alphabet, prompt_ids(b"abc", chat=False), most=4) == b"defg"


@pytest.mark.parametrize(
    ("stops", "expected"),
    [((b"ij",), b"defgh"), ((b"d",), b""), ((b"hx", b"ik"), b"defghijklmnopqrstuvwxyz"), ((b"lm", b"hij"), b"defg")],
)
def test_it_ends_before_the_first_stop(alphabet: LanguageModel, stops: tuple[bytes, ...], expected: bytes) -> None:
    assert written(alphabet, prompt_ids(b"abc", chat=False), stops=stops) == expected


def test_a_seed_repeats_what_was_written() -> None:
    torch.manual_seed(0)
    model = LanguageModel(shape_of(ModelConfig(width=32, layers=1, head_width=16), 32)).eval()
    prompt = np.array([BOUNDARY], np.uint16)
    texts = [bytes(generate(model, prompt, most=20, sampling=Sampling(1.0), seed=seed)) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("weights", ["float32", "int8", "eager"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("drafter", [HeadsDrafter, LookupDrafter])
def test_guesses_change_how_often_the_model_is_asked_and_not_what_is_written(
    alphabet: LanguageModel, weights: str, temperature: float, drafter: type
) -> None:
    decoder = decoder_for(alphabet, weights)
    prompt = prompt_ids(b"abcdefghijklmnopqrstuvwxyzabc", chat=False)
    for seed in range(5):
        texts, reads = [], []
        for guessing in (None, drafter()):
            writer = Writer(
                Reader.of(decoder, prompt),
                most=60,
                sampler=Sampler(Sampling(temperature), seed),
                drafter=guessing,
                prompt=prompt.tolist(),
            )
            texts.append((bytes(token.byte for token in writer.tokens()), writer.finish))
            reads.append(writer.reads)
        assert texts[0] == texts[1]
        assert reads[1] <= reads[0]
    if temperature == 0 and drafter is HeadsDrafter:
        assert reads[1] < 0.6 * reads[0]
