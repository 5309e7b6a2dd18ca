"""GGUF version 3 for Llama's layout, in fp32; the format names architectures, and has none for our other models.

Specification: ggml-org/ggml, docs/gguf.md. Queries and keys are stored with the two halves of each head's rotation
interleaved, as that architecture's rotation wants them.
"""

import struct
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trainer.bytes import BOUNDARY, BYTES, PADDING, VOCABULARY
from trainer.export.layout import Layout
from trainer.export.tokenizer import tokens

_MAGIC, _VERSION = b"GGUF", 3
_ALIGNMENT: Final = 32
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9  # types of values
_F32: Final = 0  # type of a tensor
_NORMAL, _CONTROL = 1, 3  # types of tokens
_NAMES: Final = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_AROUND: Final = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def write_gguf(layout: Layout, name: str, path: Path) -> None:
    """Writes the file. Raises OSError when the disk does not take it.

    Args:
        layout: Llama's.
        name: of the model, for people.
        path: of the file.

    """
    values = _values(layout.config, name)
    tensors = {_name(key): _array(key, tensor, layout.config) for key, tensor in layout.tensors.items()}
    head = bytearray(_MAGIC + struct.pack("<IQQ", _VERSION, len(tensors), len(values)))
    for key, (kind, value) in values.items():
        head += _string(key) + struct.pack("<I", kind) + _value(kind, value)
    offset = 0
    for key, array in tensors.items():
        sizes = array.shape[::-1]
        head += _string(key) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, _F32, offset)
        offset += _padded(array.nbytes)
    with path.open("wb") as file:
        file.write(head.ljust(_padded(len(head)), b"\0"))
        for array in tensors.values():
            file.write(array.tobytes().ljust(_padded(array.nbytes), b"\0"))


def _values(config: dict[str, Any], name: str) -> dict[str, tuple[int, Any]]:
    kinds = [_NORMAL] * BYTES + [_CONTROL] * (VOCABULARY - BYTES)
    return {
        "general.architecture": (_STRING, "llama"),
        "general.name": (_STRING, name),
        "general.file_type": (_UINT32, 0),  # all in fp32
        "general.alignment": (_UINT32, _ALIGNMENT),
        "llama.vocab_size": (_UINT32, config["vocab_size"]),
        "llama.context_length": (_UINT32, config["max_position_embeddings"]),
        "llama.embedding_length": (_UINT32, config["hidden_size"]),
        "llama.block_count": (_UINT32, config["num_hidden_layers"]),
        "llama.feed_forward_length": (_UINT32, config["intermediate_size"]),
        "llama.attention.head_count": (_UINT32, config["num_attention_heads"]),
        "llama.attention.head_count_kv": (_UINT32, config["num_key_value_heads"]),
        "llama.attention.layer_norm_rms_epsilon": (_FLOAT32, config["rms_norm_eps"]),
        "llama.rope.dimension_count": (_UINT32, config["head_dim"]),
        "llama.rope.freq_base": (_FLOAT32, config["rope_theta"]),
        "tokenizer.ggml.model": (_STRING, "gpt2"),
        "tokenizer.ggml.pre": (_STRING, "default"),
        "tokenizer.ggml.tokens": (_ARRAY, (_STRING, tokens())),
        "tokenizer.ggml.token_type": (_ARRAY, (_INT32, kinds)),
        "tokenizer.ggml.merges": (_ARRAY, (_STRING, [])),
        "tokenizer.ggml.bos_token_id": (_UINT32, BOUNDARY),
        "tokenizer.ggml.eos_token_id": (_UINT32, BOUNDARY),
        "tokenizer.ggml.padding_token_id": (_UINT32, PADDING),
        "tokenizer.ggml.add_bos_token": (_BOOL, True),
    }


def _value(kind: int, value: Any) -> bytes:
    if kind == _STRING:
        return _string(value)
    if kind == _ARRAY:
        of, items = value
        return struct.pack("<IQ", of, len(items)) + b"".join(_value(of, item) for item in items)
    return struct.pack({_UINT32: "<I", _INT32: "<i", _FLOAT32: "<f", _BOOL: "<?"}[kind], value)


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _name(key: str) -> str:
    if key in _AROUND:
        return _AROUND[key]
    number, part = key.removeprefix("model.layers.").split(".", 1)
    return f"blk.{number}.{_NAMES[part.removesuffix('.weight')]}.weight"


def _array(key: str, tensor: Tensor, config: dict[str, Any]) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.numpy()
    if key.endswith(("q_proj.weight", "k_proj.weight")):
        heads = array.reshape(config["num_attention_heads"], 2, config["head_dim"] // 2, -1)
        array = np.ascontiguousarray(heads.swapaxes(1, 2)).reshape(array.shape)
    return array
