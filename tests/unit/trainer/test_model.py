"""Parallel equals recurrent, documents do not see each other, and states can be saved and forked."""

import pytest
import torch
from torch import Tensor, nn

from trainer.bytes import VOCABULARY
from trainer.config import ModelConfig
from trainer.layers.block import mixer_names
from trainer.model import LanguageModel
from trainer.shape import shape_of
from trainer.state import ModelState

MODELS = [
    *(pytest.param({"mixers": (name,)}, id=name) for name in mixer_names()),
    pytest.param({"mixers": tuple(mixer_names())}, id="all"),
    pytest.param({"recipe": "ghost", "layers": 3}, id="ghost"),
    pytest.param({"recipe": "ghost_memory", "layers": 3}, id="ghost_memory"),
]
LENGTH = 23
CLOSE = {"atol": 3e-5, "rtol": 1e-5}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    torch.manual_seed(0)
    dimensions = {"layers": 2, "width": 32, "head_width": 16, "window": 9, "states": 4, "stride": 4, "landmarks": 2}
    built = LanguageModel(shape_of(ModelConfig(**{**dimensions, **request.param}), context=64))
    for module in built.modules():  # zero-initialized layers would hide what they do
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.2)
    if built.memory is not None:
        nn.init.normal_(built.memory.values)
    return built


@pytest.fixture
def ids() -> Tensor:
    return torch.randint(0, VOCABULARY, (2, LENGTH), generator=torch.Generator().manual_seed(1))


def one_by_one(model: LanguageModel, ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
    steps = []
    for column in ids.unbind(1):
        logits, state = model.step(column, state)
        steps.append(logits)
    return torch.stack(steps, 1), state


def test_the_recurrent_form_says_what_the_parallel_form_says(model: LanguageModel, ids: Tensor) -> None:
    together, after = model(ids)
    apart, after_apart = one_by_one(model, ids, model.initial_state(2))
    assert together.abs().max() > 0.1
    torch.testing.assert_close(apart, together, **CLOSE)
    for name, tensor in after.tensors().items():
        torch.testing.assert_close(after_apart.tensors()[name], tensor, **CLOSE)


@pytest.mark.parametrize("cut", [1, 2, 8, 13, LENGTH - 1])
def test_a_row_in_two_parts_says_what_the_whole_row_says(model: LanguageModel, ids: Tensor, cut: int) -> None:
    whole, _ = model(ids)
    first, state = model(ids[:, :cut])
    second, _ = model(ids[:, cut:], None, state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, **CLOSE)


@pytest.mark.parametrize("cut", [1, 2, 5, 16, LENGTH - 1])
def test_a_document_is_read_as_if_nothing_stood_before_it(model: LanguageModel, ids: Tensor, cut: int) -> None:
    segments = (torch.arange(LENGTH) >= cut).long().expand(2, -1) + 3
    packed, _ = model(ids, segments)
    torch.testing.assert_close(packed[:, :cut], model(ids[:, :cut])[0], **CLOSE)
    torch.testing.assert_close(packed[:, cut:], model(ids[:, cut:])[0], **CLOSE)


def test_no_gradient_crosses_from_one_document_to_the_one_before(model: LanguageModel, ids: Tensor) -> None:
    embedded = model.embedding(ids).detach().requires_grad_()
    model.embedding.register_forward_hook(lambda *_: embedded)
    segments = (torch.arange(LENGTH) >= 10).long().expand(2, -1)
    model(ids, segments)[0][:, 10:].sum().backward()
    assert embedded.grad is not None
    assert embedded.grad[:, :10].abs().max() == 0
    assert embedded.grad[:, 10:].abs().max() > 0


def test_a_new_document_may_begin_between_two_rows(model: LanguageModel, ids: Tensor) -> None:
    _, state = model(ids[:, :12], torch.full((2, 12), 7))
    segments = torch.tensor([[7] * 11, [8] * 11])  # the second lane begins a document, the first goes on
    logits, _ = model(ids[:, 12:], segments, state)
    torch.testing.assert_close(logits[0], model(ids[:1])[0][0, 12:], **CLOSE)
    torch.testing.assert_close(logits[1], model(ids[1:, 12:])[0][0], **CLOSE)


def test_nothing_is_known_of_later_ids(model: LanguageModel, ids: Tensor) -> None:
    changed = ids.clone()
    changed[:, 12] = (changed[:, 12] + 1) % VOCABULARY
    before, after = model(ids)[0], model(changed)[0]
    torch.testing.assert_close(before[:, :12], after[:, :12], atol=0, rtol=0)
    assert not torch.equal(before[:, 12], after[:, 12])


def test_a_saved_state_goes_on_bit_for_bit_and_a_fork_leaves_it_alone(model: LanguageModel, ids: Tensor) -> None:
    with torch.inference_mode():
        _, state = model(ids[:, :9])
        restored = ModelState.of_tensors(state.tensors())
        expected, _ = one_by_one(model, ids[:, 9:], state)
        one_by_one(model, ids.flip(1), state)  # a fork that reads something else
        again, _ = one_by_one(model, ids[:, 9:], state)
        after_restore, _ = one_by_one(model, ids[:, 9:], restored)
    assert torch.equal(expected, again)
    assert torch.equal(expected, after_restore)


def test_the_state_stops_growing(model: LanguageModel) -> None:
    sizes = []
    state = model.initial_state(1)
    with torch.inference_mode():
        for _ in range(30):
            _, state = model.step(torch.tensor([65]), state)
            sizes.append(sum(tensor.numel() for tensor in state.tensors().values()))
    assert sizes[-1] == sizes[12] > 0
