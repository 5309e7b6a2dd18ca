"""Exports hold every weight under the names of their layouts, and what fits no layout is refused with its reason."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from tests.unit.trainer.runs import tiny_run
from trainer.__main__ import main
from trainer.bytes import VOCABULARY
from trainer.config import DataConfig, ModelConfig, RunConfig
from trainer.errors import ExportError
from trainer.export.tokenizer import tokenizer_json, tokens
from trainer.export.write import Format, export
from trainer.loop import train
from trainer.model import LanguageModel
from trainer.shape import shape_of

FITTING: list[tuple[Format, dict[str, object], str]] = [
    ("hf", {"recipe": "transformer"}, "NanoChatForCausalLM"),
    ("hf", {"recipe": "llama"}, "LlamaForCausalLM"),
    ("llama", {"recipe": "llama"}, "LlamaForCausalLM"),
    ("hf", {"recipe": "mamba", "mlp_width": 0, "logit_cap": 0.0}, "MambaForCausalLM"),
    ("hf", {"recipe": "mamba2", "mlp_width": 0, "logit_cap": 0.0}, "Mamba2ForCausalLM"),
    ("hf", {"recipe": "mamba2", "logit_cap": 0.0}, "NemotronHForCausalLM"),
]
REFUSED: list[tuple[Format, dict[str, object], str]] = [
    ("llama", {"recipe": "transformer"}, "feed_forward 'swiglu'"),
    ("gguf", {"recipe": "mamba"}, "layers of attention alone.*train the recipe llama"),
    ("hf", {"recipe": "mamba"}, "logit_cap 0.0"),
    ("hf", {"recipe": "mamba", "logit_cap": 0.0}, "has no MLPs; set model.mlp_width 0"),
    ("hf", {"recipe": "rwkv7"}, "no architecture with layers of rwkv7; export rwkv"),
    ("hf", {"recipe": "groundthink"}, "no architecture with layers of blend; export safetensors"),
    ("rwkv", {"recipe": "rwkv7"}, "norm 'layer'"),
    ("rwkv", {"recipe": "rwkv7", "norm": "layer", "logit_cap": 0.0, "reflections": 2}, "reflections 0"),
]


def made(options: dict[str, object], out: str = "student") -> tuple[LanguageModel, RunConfig]:
    torch.manual_seed(0)
    config = ModelConfig(width=32, layers=2, head_width=16, states=4, head_states=8, **options)  # type: ignore[arg-type]
    model = LanguageModel(shape_of(config, 64))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.2)
    return model, RunConfig(out, DataConfig("data"), config)


@pytest.mark.parametrize(("form", "options", "architecture"), FITTING)
def test_a_fitting_model_names_its_architecture_and_keeps_every_weight(
    tmp_path: Path, form: Format, options: dict[str, object], architecture: str
) -> None:
    model, run = made(options)
    written = {path.name for path in export(model, run, form, tmp_path)}
    assert written == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == [architecture]
    sizes = sorted(tensor.numel() for tensor in load_file(tmp_path / "model.safetensors").values())
    norms = sum(size for size in sizes) - sum(weight.numel() for weight in model.parameters())
    assert norms % 32 == 0 and 0 <= norms <= 5 * 32  # nothing but norms of ones beside what was learnt


@pytest.mark.parametrize(("form", "options", "reason"), REFUSED)
def test_what_fits_no_layout_is_refused_and_nothing_is_written(
    tmp_path: Path, form: Format, options: dict[str, object], reason: str
) -> None:
    model, run = made(options)
    with pytest.raises(ExportError, match=reason):
        export(model, run, form, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@torch.no_grad()
def test_llamas_own_equations_give_the_same_logits_from_the_exported_weights(tmp_path: Path) -> None:
    model, run = made({"recipe": "llama"})
    export(model, run, "llama", tmp_path)
    config, weights = json.loads((tmp_path / "config.json").read_text()), load_file(tmp_path / "model.safetensors")
    ids = torch.randint(0, VOCABULARY, (1, 20))

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.rms_norm(x, (x.shape[-1],), weights[f"{name}.weight"], config["rms_norm_eps"])

    half = config["head_dim"] // 2
    angles = torch.arange(20)[:, None] * config["rope_theta"] ** (-torch.arange(half) / half)
    cosine, sine = (each.repeat(1, 2) for each in (angles.cos(), angles.sin()))

    def turned(x: torch.Tensor) -> torch.Tensor:
        return x * cosine + torch.cat([-x[..., half:], x[..., :half]], -1) * sine

    x = weights["model.embed_tokens.weight"][ids]
    for number in range(config["num_hidden_layers"]):
        layer = f"model.layers.{number}."
        y = norm(x, f"{layer}input_layernorm")
        q, k, v = (
            (y @ weights[f"{layer}self_attn.{name}_proj.weight"].T).view(1, 20, -1, 2 * half).transpose(1, 2)
            for name in "qkv"
        )
        mixed = functional.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True)
        x = x + mixed.transpose(1, 2).flatten(2) @ weights[f"{layer}self_attn.o_proj.weight"].T
        y = norm(x, f"{layer}post_attention_layernorm")
        gate, up = (y @ weights[f"{layer}mlp.{name}_proj.weight"].T for name in ("gate", "up"))
        x = x + (functional.silu(gate) * up) @ weights[f"{layer}mlp.down_proj.weight"].T
    logits = norm(x, "model.norm") @ weights["lm_head.weight"].T
    torch.testing.assert_close(logits, model(ids)[0], atol=1e-4, rtol=1e-4)


def test_a_gguf_file_can_be_read_by_its_specification(tmp_path: Path) -> None:
    model, run = made({"recipe": "llama"})
    (path,) = export(model, run, "gguf", tmp_path)
    content = path.read_bytes()
    magic, version, tensors, values = struct.unpack_from("<4sIQQ", content)
    assert (magic, version) == (b"GGUF", 3)
    assert tensors == 2 * 9 + 3 and values > 20
    head = model.head.weight.detach().numpy().astype(np.float32).tobytes()
    assert content.find(head) % 32 == 0  # unquantized, and aligned
    assert b"llama.block_count" in content and b"tokenizer.ggml.tokens" in content


def test_rwkv_names_are_those_of_its_authors(tmp_path: Path) -> None:
    model, run = made({"recipe": "rwkv7", "norm": "layer", "logit_cap": 0.0})
    export(model, run, "rwkv", tmp_path)
    weights = torch.load(tmp_path / "student.pth", weights_only=True)
    assert {"emb.weight", "blocks.0.ln0.weight", "blocks.1.att.v0", "blocks.0.ffn.x_k", "ln_out.bias"} <= set(weights)
    assert "blocks.0.att.v0" not in weights  # the first layer has no values below it
    assert torch.equal(weights["blocks.1.att.w2"].T, model.layers()[1].mixer.decay.up.weight)


def test_the_tokenizer_has_one_token_for_each_id_and_each_byte_its_own() -> None:
    names = tokens()
    assert len(set(names)) == VOCABULARY
    assert names[ord("a")] == "a" and names[ord(" ")] == "Ġ" and names[ord("\n")] == "Ċ"  # as GPT-2 writes them
    assert tokenizer_json()["model"]["vocab"]["<|padding|>"] == VOCABULARY - 1


def test_a_run_is_exported_by_command_and_loads_again_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    run = tiny_run(tmp_path, training={"steps": 2, "evaluate_every": 2})
    train(run, lambda _line: None)
    monkeypatch.setattr("sys.argv", ["trainer", "export", run.out, "--out", str(tmp_path / "exported")])
    assert main() == 0
    assert str(tmp_path / "exported/model.safetensors") in capsys.readouterr().out
    config = json.loads((tmp_path / "exported/config.json").read_text())
    again = LanguageModel(shape_of(ModelConfig(**config["model"]), run.data.context))
    again.load_state_dict(load_file(tmp_path / "exported/model.safetensors"))
    assert config["shape"]["width"] == 32
    monkeypatch.setattr("sys.argv", ["trainer", "export", run.out, "--format", "gguf", "--out", str(tmp_path / "no")])
    assert main() == 1
    assert "train anew" in capsys.readouterr().err
