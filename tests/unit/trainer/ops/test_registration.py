"""Torch knows the operators: schemas, shapes while tracing, gradients, torch.compile; and results repeat bit by bit."""

import pytest
import torch
from torch import Tensor

from tests.unit.trainer.ops.subjects import FAST, NATIVE, SUBJECTS, Subject, computed, truth
from trainer.ops import loader


def registered(subject: Subject, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return getattr(torch.ops.trainer, subject.name).default(*inputs)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@pytest.mark.parametrize("rung", loader.Rung)
def test_torch_s_own_checks_of_an_operator_pass(
    subject: Subject, rung: loader.Rung, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    inputs = tuple(p.requires_grad_() for p in subject.draw((2, 21, *[3] * subject.width_count), dtype=torch.float32))
    subject.operator(*inputs)  # defines it
    torch.library.opcheck(getattr(torch.ops.trainer, subject.name).default, inputs)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@pytest.mark.parametrize("rung", [loader.Rung.REF, loader.Rung.CHUNK])
def test_gradients_equal_finite_differences(
    subject: Subject, rung: loader.Rung, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    inputs = tuple(part.requires_grad_() for part in subject.draw((2, 18, *[2] * subject.width_count)))
    assert torch.autograd.gradcheck(subject.operator, inputs, fast_mode=True)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_whole_graph_compiles_and_gives_the_same(subject: Subject) -> None:
    operator = subject.operator

    def loss(*inputs: Tensor) -> Tensor:
        y, final = operator(*inputs)
        return y.sin().sum() + final.cos().sum()

    torch.compiler.reset()
    inputs = [part.requires_grad_() for part in subject.draw((2, 21, *[3] * subject.width_count), dtype=torch.float32)]
    wanted = torch.autograd.grad(loss(*inputs), inputs)
    found = torch.autograd.grad(torch.compile(loss, fullgraph=True, backend="aot_eager")(*inputs), inputs)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("subject", "file"), FAST, ids=lambda part: getattr(part, "name", part))
def test_repeated_runs_are_equal_bit_by_bit(subject: Subject, file: str) -> None:
    inputs = subject.draw((3, 35, *[17] * subject.width_count), dtype=torch.float32)
    _, above = truth(subject, inputs)
    first = computed(subject.module(file), inputs, above)
    for _ in range(20):
        again = computed(subject.module(file), inputs, above)
        assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


@pytest.mark.parametrize("subject", NATIVE, ids=lambda subject: subject.name)
@pytest.mark.parametrize("batch", [1, 3])
def test_native_results_do_not_depend_on_the_number_of_threads(subject: Subject, batch: int) -> None:
    inputs = subject.draw((batch, 65, *[64] * subject.width_count), dtype=torch.float32)
    _, above = truth(subject, inputs)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(computed(subject.module("cpu"), inputs, above))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(one, two) for one, two in zip(results[0], other, strict=True))


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_only_one_of_the_outputs_need_be_used(subject: Subject) -> None:
    inputs = [part.requires_grad_() for part in subject.draw((1, 9, *[3] * subject.width_count), dtype=torch.float32)]
    both = torch.autograd.grad(sum(part.sum() for part in subject.operator(*inputs)), inputs)
    alone = [
        torch.autograd.grad(subject.operator(*inputs)[i].sum(), inputs, allow_unused=True, materialize_grads=True)
        for i in (0, 1)
    ]
    for whole, of_y, of_state in zip(both, *alone, strict=True):
        torch.testing.assert_close(whole, of_y + of_state)
