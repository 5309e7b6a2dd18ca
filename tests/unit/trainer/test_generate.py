"""Sampling follows its distribution, and generation ends where it should."""

import numpy as np
import pytest
import torch
from torch import nn

from trainer.bytes import BOUNDARY, USER, VOCABULARY, Ids
from trainer.config import ModelConfig
from trainer.generate import generate, prompt_ids
from trainer.model import LanguageModel
from trainer.sampling import Sampling, choose, distribution
from trainer.shape import shape_of

GREEDY = Sampling(temperature=0)


def test_special_ids_but_the_boundary_are_never_chosen() -> None:
    probabilities = distribution(torch.zeros(1, VOCABULARY), Sampling(1.0))[0]
    assert probabilities[USER:].sum() == 0
    assert probabilities[BOUNDARY] == pytest.approx(1 / 257)


def test_temperature_sharpens_top_k_counts_and_top_p_adds_up() -> None:
    logits = torch.full((1, VOCABULARY), -50.0)
    logits[0, :4] = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    assert distribution(logits, Sampling(1.0))[0, :4].tolist() == pytest.approx([0.4, 0.3, 0.2, 0.1])
    assert distribution(logits, Sampling(0.5))[0, 0] == pytest.approx(0.16 / 0.30)
    assert distribution(logits, Sampling(1.0, top_k=2))[0, :4].tolist() == pytest.approx([4 / 7, 3 / 7, 0, 0])
    assert distribution(logits, Sampling(1.0, top_p=0.6))[0, :4].tolist() == pytest.approx([4 / 7, 3 / 7, 0, 0])
    assert distribution(logits, GREEDY)[0].argmax() == 0


def test_ids_are_drawn_as_often_as_the_distribution_says() -> None:
    logits = torch.full((4000, VOCABULARY), -50.0)
    logits[:, 65], logits[:, 66] = 1.0, 0.0
    drawn = choose(logits, Sampling(1.0), torch.Generator().manual_seed(0))
    assert float((drawn == 65).float().mean()) == pytest.approx(0.731, abs=0.03)


@pytest.fixture(scope="module")
def alphabet() -> LanguageModel:
    """A model that has learnt the alphabet by heart, and that the text ends after it."""
    torch.manual_seed(0)
    model = LanguageModel(shape_of(ModelConfig(width=32, layers=1, head_width=16, mlp_width=64), 32))
    ids = torch.tensor([[BOUNDARY, *b"abcdefghijklmnopqrstuvwxyz", BOUNDARY]])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(ids[:, :-1])[0][0], ids[0, 1:]).backward()
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
