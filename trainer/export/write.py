"""Writes a trained run into a folder in the layout that is asked for; which model fits which layout is in README.md."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Final, Literal

import torch
from safetensors.torch import save_file

from trainer.config import RunConfig
from trainer.errors import ExportError
from trainer.export import attention_layouts, mamba_layouts, rwkv_layout
from trainer.export.gguf import write_gguf
from trainer.export.layout import Layout, plain
from trainer.export.tokenizer import tokenizer_config, tokenizer_json
from trainer.model import LanguageModel

Format = Literal["safetensors", "hf", "llama", "rwkv", "gguf"]
FORMATS: Final[tuple[Format, ...]] = ("safetensors", "hf", "llama", "rwkv", "gguf")


def export(model: LanguageModel, run: RunConfig, form: Format, out: Path) -> list[Path]:
    """The files that were written.

    Args:
        model: trained.
        run: what it was trained by.
        form: the layout; `hf` is the one of the transformers library that fits the model.
        out: the folder, made where it is missing.

    Raises:
        ExportError: the model does not fit the layout, or the folder cannot be written.

    """
    layout = _layout(model, run, form)
    name = Path(run.out).name
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = []
        if form == "gguf":
            write_gguf(layout, name, out / f"{name}.gguf")
            return [out / f"{name}.gguf"]
        if form == "rwkv":
            torch.save(layout.tensors, out / f"{name}.pth")
            written.append(out / f"{name}.pth")
        else:
            save_file(layout.tensors, out / "model.safetensors", metadata={"format": "pt"})
            written.append(out / "model.safetensors")
        written += [_json(out / "config.json", layout.config)]
        if form in {"hf", "llama"}:
            written += [
                _json(out / "tokenizer.json", tokenizer_json()),
                _json(out / "tokenizer_config.json", tokenizer_config()),
            ]
    except OSError as error:
        raise ExportError(f"{out} cannot be written ({error.strerror}); name another folder with --out.") from error
    return written


def _layout(model: LanguageModel, run: RunConfig, form: Format) -> Layout:
    if form == "safetensors":
        config = {"model": dataclasses.asdict(run.model), "shape": dataclasses.asdict(model.shape)}
        return Layout(config, plain(model.state_dict()))
    if form == "rwkv":
        return rwkv_layout.rwkv7(model)
    if form in {"llama", "gguf"}:
        return attention_layouts.llama(model)
    mixer = model.shape.mixers[0]
    if mixer == "attention":
        capable = attention_layouts.nanochat if model.shape.query_key_norm else attention_layouts.llama
        return capable(model)
    if mixer in {"mamba", "mamba2"}:
        return mamba_layouts.mamba(model) if mixer == "mamba" else mamba_layouts.mamba2(model)
    raise ExportError(
        f"The transformers library has no architecture with layers of {mixer}; "
        f"export {'rwkv' if mixer == 'rwkv7' else 'safetensors'}."
    )


def _json(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
