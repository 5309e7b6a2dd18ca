"""Decoding: every decoder against the model's own step, then bytes a second side by side, memory, restore and fork."""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from trainer import recipes
from trainer.bytes import BYTES
from trainer.config import ModelConfig
from trainer.decode.choose import CLOSE
from trainer.decode.compiled import CompiledDecoder
from trainer.decode.decoder import Decoder, IdArray, Logits
from trainer.decode.draft import Drafter, HeadsDrafter, LookupDrafter
from trainer.decode.eager import EagerDecoder
from trainer.decode.state_file import load_state, save_state
from trainer.encoding import of_text
from trainer.generate import Reader, Writer, load_model
from trainer.model import LanguageModel
from trainer.sampling import Sampler, Sampling, log_probabilities
from trainer.shape import shape_of

_CONTEXT: Final = 256
_WIDTH: Final = 384  # with the layers, about 12 million parameters in every recipe
_LAYERS: Final = 7
_GATE_IDS: Final = 200
_SCORED: Final = 4096  # ids on which the loss by int8 weights is measured
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def drawn(config: ModelConfig) -> LanguageModel:
    """A model with weights that were never trained, none of them zero."""
    torch.manual_seed(0)
    model = LanguageModel(shape_of(config, _CONTEXT)).eval()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.5 * module.in_features**-0.5)
    return model


@dataclass(frozen=True, slots=True)
class Truth:
    """What the model's own step says over ids that are read one by one."""

    ids: IdArray
    logits: Logits

    @staticmethod
    @torch.inference_mode()
    def of(model: LanguageModel) -> "Truth":
        """Over ids that are drawn."""
        ids = np.random.default_rng(0).integers(0, model.shape.vocabulary, _GATE_IDS)
        state, rows = model.initial_state(1), []
        for each in ids:
            logits, state = model.step(torch.tensor([each]), state)
            rows.append(logits[0].numpy())
        return Truth(ids, np.stack(rows))

    def difference(self, decoder: Decoder) -> float:
        """The largest of a logit."""
        memory = decoder.begin()
        found = np.concatenate([decoder.read(memory, self.ids[at : at + 1]) for at in range(len(self.ids))])
        return float(np.abs(found - self.logits).max())


def bits_per_byte(decoder: Decoder, text: bytes) -> float:
    """What the decoder's predictions cost on a text."""
    ids = of_text(text[:_SCORED]).ids[:-1].astype(np.int64)
    logits = decoder.read(decoder.begin(), ids[:-1])
    return float(-log_probabilities(logits)[np.arange(len(ids) - 1), ids[1:]].mean() / np.log(2))


def bytes_per_second(decoder: Decoder, prompt: bytes, drafter: Drafter | None, count: int) -> tuple[float, float]:
    """Bytes written a second, sampling included, and bytes for each call of the decoder."""
    ids = of_text(prompt).ids[:-1]
    reader = Reader.of(decoder, ids)
    writer = Writer(
        reader, most=count, sampler=Sampler(Sampling(), 1), drafter=drafter, prompt=ids.tolist() if drafter else ()
    )
    began = time.perf_counter()
    written = sum(1 for _ in writer.tokens())
    return written / (time.perf_counter() - began), written / max(1, writer.reads)


def growth(decoder: Decoder, count: int) -> tuple[float, float]:
    """Bytes decoded a second over `count` bytes, and by how many MiB the process grew after the first tenth."""
    memory, ids = decoder.begin(), np.random.default_rng(1).integers(0, BYTES, count)
    began, before = time.perf_counter(), 0.0
    for at in range(count):
        decoder.read(memory, ids[at : at + 1])
        if at == count // 10:
            before = _resident()
    return count / (time.perf_counter() - began), _resident() - before


def state_times(decoder: Decoder, folder: Path) -> dict[str, float]:
    """Milliseconds, medians: to fork a memory, to save it to a file, to restore it from there."""
    memory = decoder.begin()
    decoder.read(memory, np.random.default_rng(2).integers(0, BYTES, 2 * _CONTEXT))
    path = folder / "state.safetensors"
    actions: dict[str, Callable[[], object]] = {
        "fork": memory.fork,
        "save": lambda: save_state(path, decoder.export(memory), "bench"),
        "restore": lambda: decoder.restore(load_state(path, "bench")),
    }
    return {
        f"{name}_ms": round(statistics.median(_milliseconds(act) for _ in range(20)), 3)
        for name, act in actions.items()
    }


def decoders_of(model: LanguageModel) -> dict[str, Decoder]:
    """All that there are."""
    return {
        "eager": EagerDecoder(model),
        "C fp32": CompiledDecoder(model, "float32"),
        "C int8": CompiledDecoder(model, "int8"),
    }


def main(run: Path | None, names: Sequence[str], text_path: Path | None, *, count: int, long: int) -> int:
    """Prints a table and a line of JSON; returns 1 where a decoder fails the gate.

    Args:
        run: a trained run to decode with; None: drawn models.
        names: recipes of the drawn models; none for all.
        text_path: what prompts and losses are taken from; None for a module of the standard library.
        count: bytes that each decoder writes.
        long: bytes over which memory is watched; 0 leaves it out.

    """
    text = (text_path or Path(statistics.__file__)).read_bytes()
    rows = []
    for name in [run.name] if run else names or recipes.names():
        model = load_model(run)[0] if run else drawn(ModelConfig(recipe=name, width=_WIDTH, layers=_LAYERS))
        truth = Truth.of(model)
        for kind, decoder in decoders_of(model).items():
            for row in _measured(kind, decoder, truth, text, count=count, long=long):
                rows.append({"model": name, "decoder": decoder.description, **row})
                sys.stdout.write(_line(rows[-1]) + "\n")
                sys.stdout.flush()
    facts = {"threads": torch.get_num_threads(), "load": round(os.getloadavg()[0], 2)}
    sys.stdout.write(json.dumps({"rows": rows, **facts}) + "\n")
    return int(any(row["bytes_per_second"] is None for row in rows))


def _measured(
    kind: str, decoder: Decoder, truth: Truth, text: bytes, *, count: int, long: int
) -> Iterator[dict[str, Any]]:
    """A row for each drafter; one without a speed where the gate is not passed."""
    apart = truth.difference(decoder)
    row: dict[str, Any] = {"draft": "-", "difference": float(f"{apart:.1e}")}
    row["bits_per_byte"] = round(bits_per_byte(decoder, text), 4)
    if kind != "C int8" and apart > CLOSE:  # int8 weights are another model: their loss is what counts
        yield {**row, "bytes_per_second": None}
        return
    with tempfile.TemporaryDirectory() as folder:
        row |= state_times(decoder, Path(folder))
    drafters: dict[str, Drafter | None] = {"-": None, "lookup": LookupDrafter()}
    if decoder.heads:
        drafters["heads"] = HeadsDrafter()
    for draft, drafter in drafters.items():
        wanted = count // 10 if kind == "eager" else count
        speed, each = bytes_per_second(decoder, text[:1000], drafter, wanted)
        yield {**row, "draft": draft, "bytes_per_second": round(speed), "bytes_per_call": round(each, 2)}
    if long and kind == "C int8":
        speed, grown = growth(decoder, long)
        yield {**row, "long_bytes": long, "bytes_per_second": round(speed), "grown_mib": round(grown, 2)}


def _line(row: dict[str, Any]) -> str:
    """The row as text: names first, then figures."""
    head = f"{row['model']:<14}{row['decoder']:<40}{row['draft']:<8}"
    figures = {name: value for name, value in row.items() if name not in {"model", "decoder", "draft"}}
    return head + "  ".join(f"{name} {'GATE' if value is None else value}" for name, value in figures.items())


def _milliseconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return 1e3 * (time.perf_counter() - began)


def _resident() -> float:
    """MiB of this process in memory (Linux; elsewhere 0)."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE / 2**20
    except OSError:
        return 0.0
