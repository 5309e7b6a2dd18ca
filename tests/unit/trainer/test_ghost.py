"""The ghost's own parts: sparse attention against its definition, positions in words, predictive heads, fact slots."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.unit.trainer.runs import tiny_run
from trainer import checkpoint
from trainer.bytes import VOCABULARY
from trainer.config import ModelConfig
from trainer.data import Batch
from trainer.forward import Forward
from trainer.layers import positions
from trainer.layers.mixer import Sight
from trainer.layers.sparse_attention import SparseAttention
from trainer.loop import train
from trainer.model import LanguageModel
from trainer.objective import ahead_loss
from trainer.shape import ModelShape, shape_of

STRIDE, LANDMARKS = 4, 3


def small(recipe: str = "ghost", **changes: int) -> ModelShape:
    config = ModelConfig(recipe=recipe, width=32, layers=3, head_width=16, states=4, stride=STRIDE, landmarks=LANDMARKS)
    return shape_of(dataclasses.replace(config, **changes), context=32)  # type: ignore[arg-type]


def sight_of(segments: Tensor) -> Sight:
    length = segments.shape[1]
    return Sight(torch.arange(length, dtype=torch.float64), segments, segments[:, :0], single=False)


@pytest.mark.parametrize("landmark_places", [True, False])
@pytest.mark.parametrize("length", [1, 3, 4, 5, 40])
def test_sparse_attention_sees_the_last_ids_and_the_landmarks_before_them(length: int, landmark_places: bool) -> None:
    """Against a dense softmax over the set of places that the definition names."""
    torch.manual_seed(0)
    layer = SparseAttention(dataclasses.replace(small(), landmark_places=landmark_places))
    nn.init.eye_(layer.output.weight)
    x = torch.randn(2, length, 32)
    starts = torch.tensor([[0] * length, [place // 23 for place in range(length)]])
    mixed, _ = layer(x, sight_of(starts), layer.initial_state(2, x.device))
    for lane in range(2):
        begin = 0
        for t in range(length):
            if t and starts[lane, t] != starts[lane, t - 1]:
                begin = t
            p = t - begin
            seen = [
                begin + q
                for q in range(p + 1)
                if p - q < STRIDE or ((q + 1) % STRIDE == 0 and p - q <= STRIDE * LANDMARKS)
            ]
            places = torch.tensor([place - begin for place in seen], dtype=torch.float64)
            expected = dense(layer, x[lane, t], p, x[lane, seen], places)
            torch.testing.assert_close(mixed[lane, t], expected, atol=1e-5, rtol=1e-5)


def dense(layer: SparseAttention, asking: Tensor, place: int, seen: Tensor, places: Tensor) -> Tensor:
    rates = torch.cat([positions.rates(4, seen.device)] * 2)  # no tokenizer: words are counted as bytes

    def heads(projection: nn.Linear, x: Tensor, at: Tensor | None) -> Tensor:
        split = projection(x).view(len(x), 2, 16).transpose(0, 1)
        if at is None:
            return split
        angles = (at[:, None] * rates).float()
        return positions.turned(functional.rms_norm(split, (16,)), angles.cos(), angles.sin())

    def scores(at: Tensor, of: Tensor) -> Tensor:
        return heads(layer.query, asking[None], at) @ heads(layer.key, seen, of).mT / 4

    turned = scores(torch.tensor([place], dtype=torch.float64), places)
    plain = scores(torch.zeros(1, dtype=torch.float64), torch.zeros_like(places))
    near = torch.tensor([place - at < STRIDE for at in places.tolist()])
    weights = turned.where(near | torch.tensor(layer.landmark_places), plain).softmax(-1)
    return (weights @ heads(layer.value, seen, None)).transpose(0, 1).reshape(-1)


def test_the_state_of_sparse_attention_is_bounded_by_stride_and_landmarks() -> None:
    layer = SparseAttention(small())
    x = torch.randn(1, 200, 32)
    sight = sight_of(torch.zeros(1, 200, dtype=torch.int64))
    _, state = layer(x, sight, layer.initial_state(1, x.device))
    assert state["keys"].shape[2] == STRIDE - 1
    assert state["landmark_places"].tolist() == [[191, 195, 199]]


def test_a_sum_in_a_document_equals_a_loop_and_so_does_its_gradient() -> None:
    torch.manual_seed(0)
    segments = torch.tensor([[1, 1, 1, 2, 2, 3, 3, 3], [4, 5, 5, 5, 5, 5, 5, 6]])
    past = torch.tensor([[1], [3]])  # the first lane's document continues
    sight = Sight(torch.arange(8, dtype=torch.float64), segments, past, single=False, begin=1)
    terms = torch.randn(2, 8, 3, dtype=torch.float64, requires_grad=True)
    before = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    total = positions.sum_in_document(terms, sight, before)
    for lane in range(2):
        running, document = before[lane], past[lane, 0]
        for t in range(8):
            running = terms[lane, t] + (running if segments[lane, t] == document else 0)
            document = segments[lane, t]
            torch.testing.assert_close(total[lane, t], running)
    assert torch.autograd.gradcheck(lambda t, b: positions.sum_in_document(t, sight, b), (terms, before))


def test_places_count_from_the_beginning_of_each_document() -> None:
    segments = torch.tensor([[7, 7, 8, 8, 8], [1, 2, 3, 3, 3]])
    sight = Sight(torch.arange(5.0), segments, torch.tensor([[7], [9]]), single=False, begin=1)
    assert positions.places(sight, torch.tensor([4, 2])).tolist() == [[5, 6, 0, 1, 2], [0, 0, 0, 1, 2]]


def test_the_boundary_scores_learn_from_the_loss_of_the_next_id() -> None:
    torch.manual_seed(0)
    model = LanguageModel(small())
    for block in model.layers():
        if isinstance(block.mixer, SparseAttention):
            nn.init.normal_(block.mixer.output.weight, std=0.2)
    assert model.tokenizer is not None
    ids = torch.randint(0, 256, (2, 30))
    logits, state = model(ids)
    functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    gradient = model.tokenizer.score.weight.grad
    assert gradient is not None and gradient.abs().max() > 0
    scores = model.boundary_scores(ids)
    assert 0 < float(scores.min()) < float(scores.max()) < 1
    torch.testing.assert_close(scores.double().sum(1), state.front["words"], atol=1e-5, rtol=0)


def test_a_model_without_a_tokenizer_has_no_boundaries() -> None:
    with pytest.raises(ValueError, match="recipe ghost"):
        LanguageModel(small("mamba")).boundary_scores(torch.tensor([[65]]))


def batch(ids: Tensor, segments: Tensor | None = None) -> Batch:
    inputs, targets = ids[:, :-1], ids[:, 1:]
    segments = torch.ones_like(inputs) if segments is None else segments
    return Batch(inputs, targets, torch.ones(inputs.shape), segments)


def test_predictive_heads_lose_what_the_definition_says() -> None:
    torch.manual_seed(0)
    ids = torch.randint(0, VOCABULARY, (1, 7))
    segments = torch.tensor([[1, 1, 1, 2, 2, 2]])
    packed = batch(ids, segments)
    packed.weights[0, 2] = 0  # the id at place 3 is not learnt
    logits = torch.randn(1, 6, 2, VOCABULARY)
    nats = -logits.log_softmax(-1)
    expected = torch.zeros(())
    for t in range(6):
        for head in range(2):
            target = t + head + 2  # in ids
            if target < 7 and segments[0, t] == segments[0, target - 1] and target != 3:
                expected = expected + nats[0, t, head, ids[0, target]]
    torch.testing.assert_close(ahead_loss(logits, packed), expected / 2)


def test_predictive_heads_learn_several_ids_ahead_and_leave_the_reported_loss_alone() -> None:
    torch.manual_seed(0)
    model = LanguageModel(small())
    text = torch.tensor([list(b"abcdefghijklmnopqrstuvwxyz" * 2)])
    with_heads, without = Forward(model, 0.2)(batch(text), None)[0], Forward(model)(batch(text), None)[0]
    assert float(with_heads.detach()) == float(without.detach())
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(40):
        optimizer.zero_grad()
        (Forward(model, 0.5)(batch(text), None)[0] / text.shape[1]).backward()
        optimizer.step()
    reading = model.read(text)
    ahead = model.heads_ahead(reading.hidden).argmax(-1)[0]
    assert ahead.shape == (52, 3)
    for head in range(3):
        right = ahead[: -(head + 2), head] == text[0, head + 2 :]
        assert float(right.float().mean()) > 0.9


def test_a_new_memory_leaves_the_backbone_as_it_was() -> None:
    models = []
    for recipe in ("ghost", "ghost_memory"):
        torch.manual_seed(5)
        models.append(LanguageModel(small(recipe)))
    ghost, with_memory = models
    own = {name: tensor for name, tensor in with_memory.state_dict().items() if not name.startswith("memory.")}
    assert own.keys() == ghost.state_dict().keys()
    assert all(torch.equal(own[name], tensor) for name, tensor in ghost.state_dict().items())
    ids = torch.randint(0, VOCABULARY, (1, 20))
    torch.testing.assert_close(with_memory(ids)[0], ghost(ids)[0], atol=0, rtol=0)


def test_every_layer_reads_the_memory_behind_a_gate_that_sees_the_raw_byte() -> None:
    torch.manual_seed(0)
    model = LanguageModel(small("ghost_memory"))
    assert model.memory is not None
    nn.init.normal_(model.memory.values)
    x, raw = torch.randn(1, 4, 32), torch.randn(1, 4, 32)
    for layer in range(3):
        added = model.memory(x, raw, layer) - x
        known = functional.rms_norm(x, (32,))
        read = torch.softmax(known @ model.memory.keys.T, -1) @ model.memory.values
        torch.testing.assert_close(added, read / 2, atol=1e-5, rtol=1e-5)  # a new gate is half open
        with torch.no_grad():
            model.memory.gates[layer, 32:] = -100 * raw[0, 2]
        shut = (model.memory(x, raw, layer) - x).detach()
        assert float(shut[0, 2].abs().max()) < 1e-5 < float(shut.abs().max())


def test_the_sizes_of_the_two_ghosts_are_those_that_are_to_be_beaten() -> None:
    counts = []
    for recipe in ("ghost", "ghost_memory"):
        with torch.device("meta"):
            model = LanguageModel(shape_of(ModelConfig(recipe=recipe, size="6M"), 256))
        counts.append(sum(weight.numel() for weight in model.parameters()))
    assert counts[0] == pytest.approx(5.98e6, rel=0.02)
    assert counts[1] == pytest.approx(6.14e6, rel=0.02)


def test_a_run_with_carried_states_that_is_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    finished = []
    for name, stop in (("calm", -1), ("stopped", 3)):
        (tmp_path / name).mkdir()
        run = tiny_run(
            tmp_path / name,
            data={"carry_state": True},
            model={"recipe": "ghost_memory", "layers": 3, "states": 4, "stride": STRIDE, "landmarks": LANDMARKS},
            training={"steps": 8, "evaluate_every": 4},
        )
        steps = iter(range(100))
        train(run, lambda _line: None, lambda steps=steps, stop=stop: next(steps) == stop)  # type: ignore[misc]
        assert train(run, lambda _line: None).step == 8
        finished.append(checkpoint.load(Path(run.out) / "checkpoints", "last"))
    calm, stopped = finished
    assert calm.model.keys() == stopped.model.keys() and calm.training.keys() == stopped.training.keys()
    assert any(name.startswith("carried.0.front.words") for name in calm.training)
    assert all(torch.equal(tensor, stopped.model[name]) for name, tensor in calm.model.items())
    assert all(torch.equal(tensor, stopped.training[name]) for name, tensor in calm.training.items())
