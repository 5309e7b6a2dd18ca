"""Sees what components put out and which operators they call while a model reads; it judges nothing.

Operators are watched at their door (`__torch_function__`), so every layer that calls one is seen, whatever its name.
"""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from trainer.data import Batch
from trainer.model import LanguageModel
from trainer.monitor import activations, states
from trainer.monitor.components import Component

Measures = dict[str, float | list[float]]
_Found = dict[str, Tensor]
_ROWS: Final = 2  # whose attention is looked at
_TARGETS: Final = 256  # whose logits are looked at, evenly spread
_FEW_TARGETS: Final = 16  # with fewer the logits are left alone


class Watch(TorchFunctionMode):
    """A context in which `model` reads the rows of a batch once."""

    def __init__(self, model: LanguageModel, parts: list[Component], batch: Batch) -> None:
        super().__init__()
        self._model = model
        self._parts = parts
        self._inside: list[Component] = []
        self._residual: Tensor | None = None
        self._found: dict[str, _Found] = {}
        self._slot_use: dict[str, Tensor] = {}
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        segments = batch.segments
        self._continues = torch.zeros_like(segments, dtype=torch.bool)  # where a document goes on; else layers forget
        self._continues[:, 1:] = segments[:, 1:] == segments[:, :-1]
        self._targets = batch.targets.flatten()
        self._learnt = states.spread(batch.weights.flatten().nonzero()[:, 0], 0, _TARGETS)  # places of some of them

    def __enter__(self) -> Self:
        super().__enter__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._hooks += [block.register_forward_pre_hook(self._see_residual) for block in self._model.layers()]
        for part in self._parts:
            self._hooks.append(part.module.register_forward_pre_hook(self._entering(part)))
            self._hooks.append(part.module.register_forward_hook(self._leaving(part)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]  # as above

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Calls the function, and looks at what it was given where a component is at work."""
        result = func(*args, **(kwargs or {}))
        if self._inside:
            part = self._inside[-1]
            if func is Tensor.softmax and part.kind == "memory":
                use = result.detach().float().flatten(0, -2).mean(dim=0)
                self._slot_use[part.name] = self._slot_use.get(part.name, torch.zeros_like(use)) + use
            read = _READERS.get(_name(func))
            if read is not None:
                self._found[part.name].update(read(self._continues, result, *args, **(kwargs or {})))
        return result

    def measures(self) -> dict[str, Measures]:
        """All numbers, fetched from the device at once."""
        for name, use in self._slot_use.items():
            self._found[name].update(states.slot_measures(use))
        flat = [value.reshape(-1).float() for found in self._found.values() for value in found.values()]
        values = iter(torch.cat(flat).tolist() if flat else [])
        return {
            name: {
                key: [next(values) for _ in range(len(value))] if value.ndim else next(values)
                for key, value in found.items()
            }
            for name, found in self._found.items()
        }

    def _see_residual(self, _module: nn.Module, arguments: tuple[Any, ...]) -> None:
        self._residual = arguments[0]

    def _entering(self, part: Component) -> Callable[[nn.Module, Any], None]:
        def hook(_module: nn.Module, _arguments: Any) -> None:
            self._inside.append(part)
            self._found.setdefault(part.name, {})

        return hook

    def _leaving(self, part: Component) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            self._inside.pop()
            written = output[0] if isinstance(output, tuple) else output
            if not isinstance(written, Tensor):
                return
            found = self._found[part.name]
            found["output"] = activations.size(written)
            found["peak"] = activations.peak(written)
            broken = activations.broken(written) * (1 - activations.broken(arguments[0]))  # what came in was not
            found["broken"] = torch.maximum(broken, found.get("broken", broken))  # in any of several calls
            if part.kind == "head" and len(self._learnt) >= _FEW_TARGETS:
                logits = written.flatten(0, -2)[self._learnt]
                found["gain"], found["gain_error"] = activations.gain(logits, self._targets[self._learnt])
            if part.writes and self._residual is not None:
                found["kurtosis"] = activations.kurtosis(written)
                found["concentration"] = activations.concentration(written)
                found["share"] = found["output"] / activations.size(self._residual).clamp_min(1e-30)
                self._residual = self._residual + written
            monitored: Callable[[], dict[str, Tensor]] = getattr(module, "monitored", dict)
            for name, value in monitored().items():
                found.update(states.slot_measures(value) if name == "slot_use" else {name: value.float().mean()})

        return hook


def _name(function: Any) -> Any:
    """The name of one of our operators; any other function itself."""
    if isinstance(function, torch._ops.OpOverload):  # noqa: SLF001  # torch has no public name for the type
        return str(function.name())
    return function


def _relu(_continues: Tensor, _result: Any, x: Tensor, *_rest: Any, **_named: Any) -> _Found:
    return {"dead": activations.dead_units(x)}


def _attention(
    _continues: Tensor,
    _result: Any,
    query: Tensor,
    key: Tensor,
    _value: Tensor,
    attn_mask: Tensor | None = None,
    _dropout: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **_named: Any,
) -> _Found:
    query = query if scale is None else query * (scale * query.shape[-1] ** 0.5)
    mask = None if attn_mask is None else attn_mask[:_ROWS]
    entropy = activations.attention_entropy(query[:_ROWS], key[:_ROWS], mask, causal=is_causal)
    return {"attention_entropy": entropy.mean(), "attention_entropy_highest": entropy.max()}


def _selective_scan(
    continues: Tensor, result: Any, _u: Tensor, delta: Tensor, a: Tensor, *_rest: Tensor, **_named: Any
) -> _Found:
    steps = states.spread(_going_on(delta, continues), 0)  # (n, D)
    decays = states.spread(steps, 1)[..., None] * states.spread(a, 0)
    return {**states.decay_measures(decays), **states.step_measures(steps), **states.state_measures(result[1])}


def _gated_scan(
    continues: Tensor, result: Any, u: Tensor, delta: Tensor, a: Tensor, *rest: Tensor, **_named: Any
) -> _Found:
    bias = rest[4]  # after b, c, skip and the gate
    return _selective_scan(continues, result, u, functional.softplus(delta.float() + bias), a)


def _ssd(continues: Tensor, result: Any, _x: Tensor, delta: Tensor, a: Tensor, *_rest: Tensor, **_named: Any) -> _Found:
    steps = states.spread(_going_on(delta, continues), 0)  # (n, H)
    return {**states.decay_measures(steps * a), **states.step_measures(steps), **states.state_measures(result[1])}


def _wkv(
    continues: Tensor, result: Any, _r: Tensor, _k: Tensor, _v: Tensor, log_decay: Tensor, *_rest: Tensor, **_named: Any
) -> _Found:
    decays = states.spread(_going_on(log_decay.flatten(2), continues), 0)
    return {**states.decay_measures(states.spread(decays, 1)), **states.state_measures(result[1])}


def _going_on(x: Tensor, continues: Tensor) -> Tensor:
    """(n, ...): the positions where a document goes on; all of them where none does."""
    if x.shape[:2] != continues.shape or not bool(continues.any()):
        return x.flatten(0, 1)
    return x[continues]


_READERS: Final[dict[Any, Callable[..., _Found]]] = {
    functional.relu: _relu,
    functional.scaled_dot_product_attention: _attention,
    "trainer::squared_relu": _relu,
    "trainer::selective_scan": _selective_scan,
    "trainer::gated_scan": _gated_scan,
    "trainer::ssd": _ssd,
    "trainer::wkv6": _wkv,
    "trainer::wkv7": _wkv,
}
