"""Every implementation gives what the double-precision loop gives: outputs, gradients, and the states' gradients."""

import pytest
import torch

from tests.unit.trainer.ops.subjects import (
    BY_NAME,
    NATIVE,
    SUBJECTS,
    Subject,
    computed,
    relative_rms,
    truth,
    use_instructions,
)
from trainer.ops import build, loader

SHAPES = 80  # for each operator: 240 in all
GATE = 1e-5


def worst(subject: Subject, file: str, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> float:
    inputs = subject.draw(shape, dtype=dtype)
    wanted, above = truth(subject, inputs)
    found = computed(subject.module(file), inputs, above)
    return max(relative_rms(one, other) for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@pytest.mark.parametrize("part", range(4))
def test_native_and_chunk_agree_with_the_loop_on_awkward_shapes(subject: Subject, part: int) -> None:
    wrong = {}
    for shape in subject.shapes(SHAPES)[part::4]:
        inputs = subject.draw(shape, dtype=torch.float32)
        wanted, above = truth(subject, inputs)
        for file in ("cpu", "chunk") if subject in NATIVE else ("chunk",):
            found = computed(subject.module(file), inputs, above)
            error = max(relative_rms(one, other) for one, other in zip(found, wanted, strict=True))
            if not error <= GATE:
                wrong[file, shape] = error
    assert wrong == {}


@pytest.mark.parametrize("subject", NATIVE, ids=lambda subject: subject.name)
@pytest.mark.parametrize("instructions", build.INSTRUCTION_SETS)
def test_every_instruction_set_agrees(subject: Subject, instructions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_instructions(instructions, monkeypatch)
    assert max(worst(subject, "cpu", shape) for shape in subject.shapes(SHAPES)[::13]) <= GATE


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@pytest.mark.parametrize("file", ["ref", "chunk"])
def test_the_adjoints_written_by_hand_are_exact_in_double_precision(subject: Subject, file: str) -> None:
    assert max(worst(subject, file, shape, torch.float64) for shape in subject.shapes(SHAPES)[::13]) <= 1e-12


@pytest.mark.parametrize("file", ["cpu", "chunk"])
@pytest.mark.parametrize(("name", "shape"), [("wkv6", (1, 20, 150, 9)), ("selective_scan", (1, 20, 300, 70))])
def test_wide_heads_and_many_states_agree_too(name: str, shape: tuple[int, ...], file: str) -> None:
    assert worst(BY_NAME[name], file, shape) <= GATE


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@pytest.mark.parametrize("rung", loader.Rung)
def test_no_sequence_and_no_step_are_allowed(
    subject: Subject, rung: loader.Rung, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    for batch, length in ((0, 5), (2, 0), (0, 0)):
        shape = (batch, length, *[3] * subject.width_count)
        leaves = [part.requires_grad_() for part in subject.draw(shape, dtype=torch.float32)]
        y, final = subject.operator(*leaves)
        grads = torch.autograd.grad((y.sum() + final.sum()), leaves)
        assert y.shape[:2] == (batch, length)
        assert [grad.shape for grad in grads] == [leaf.shape for leaf in leaves]
        if not length:
            assert torch.equal(final, leaves[-1])
            assert torch.equal(grads[-1], torch.ones_like(grads[-1]))


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@pytest.mark.parametrize("rung", loader.Rung)
def test_strided_inputs_give_what_contiguous_ones_give(
    subject: Subject, rung: loader.Rung, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    inputs = subject.draw((2, 19, *[5] * subject.width_count), dtype=torch.float32)
    strided = [torch.stack([part, torch.full_like(part, torch.nan)], -1)[..., 0] for part in inputs]
    for one, other in zip(subject.operator(*inputs), subject.operator(*strided), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_sequence_split_anywhere_with_its_state_handed_over_equals_the_whole(subject: Subject) -> None:
    length = 37
    inputs = subject.draw((2, length, *[6] * subject.width_count), dtype=torch.float32)

    def gradients(cut: int | None) -> list[torch.Tensor]:
        leaves = [part.clone().requires_grad_() for part in inputs]
        state, pieces = leaves[-1], []
        for start, end in ((0, length),) if cut is None else ((0, cut), (cut, length)):
            piece = [part[:, start:end] if i in subject.time_inputs else part for i, part in enumerate(leaves[:-1])]
            y, state = subject.operator(*piece, state)
            pieces.append(y)
        whole = torch.cat(pieces, 1)
        return [whole, state, *torch.autograd.grad(whole.square().sum() + state.square().sum(), leaves)]

    wanted = [part.detach().double() for part in gradients(None)]
    for cut in range(length + 1):
        found = gradients(cut)
        assert max(relative_rms(one.detach(), other) for one, other in zip(found, wanted, strict=True)) <= 2e-6, cut


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_half_precision_inputs_keep_their_type_and_the_state_stays_in_fp32(subject: Subject) -> None:
    inputs = subject.draw((1, 9, *[4] * subject.width_count), dtype=torch.bfloat16)
    y, final = subject.operator(*inputs)
    wanted = subject.module("ref").forward(*(part.double() for part in inputs))
    assert (y.dtype, final.dtype) == (torch.bfloat16, torch.float32)
    assert relative_rms(y, wanted[0]) <= 5e-3
    assert relative_rms(final, wanted[1]) <= GATE


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_nan_is_not_swallowed(subject: Subject) -> None:
    inputs = subject.draw((1, 20, *[4] * subject.width_count), dtype=torch.float32)
    inputs[0][0, 3] = torch.nan
    assert subject.operator(*inputs)[0].isnan().any()


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_shapes_that_do_not_fit_are_refused_with_a_sentence(subject: Subject) -> None:
    inputs = subject.draw((2, 5, *[4] * subject.width_count))
    with pytest.raises(ValueError, match=r"initial_state must be \(batch"):
        subject.operator(*inputs[:-1], inputs[-1][:1])
