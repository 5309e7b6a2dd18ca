"""The byte vocabulary as other programs' tokenizers, Hugging Face's and GGUF's: a byte-level BPE without merges."""

from typing import Any, Final

from trainer.bytes import BOUNDARY, BYTES, PADDING, ROLES, VOCABULARY

_NAMES: Final = ("boundary", "user", "assistant", "system", "prefix", "suffix", "middle", "padding")
_TEMPLATE: Final = (
    "{{ '<|boundary|>' }}"
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def tokens() -> list[str]:
    """The text of each id; a byte is written as the character that GPT-2's byte-level BPE writes for it."""
    return [_character(byte) for byte in range(BYTES)] + [f"<|{name}|>" for name in _NAMES]


def _character(byte: int) -> str:
    """Printable bytes stand for themselves, the others for the characters from U+0100 on, in their order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    if byte in printable:
        return chr(byte)
    return chr(0x100 + sum(other not in printable for other in range(byte)))


def tokenizer_json() -> dict[str, Any]:
    """tokenizer.json."""
    names = tokens()
    assert len(names) == VOCABULARY and set(ROLES) <= set(_NAMES)  # noqa: S101, PT018  # bytes.py and this file agree
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": names[number],
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for number in range(BYTES, VOCABULARY)
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {name: number for number, name in enumerate(names)},
            "merges": [],
        },
    }


def tokenizer_config() -> dict[str, Any]:
    """tokenizer_config.json, with the template of a conversation (encoding.py)."""
    names = tokens()
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": names[BOUNDARY],
        "eos_token": names[BOUNDARY],
        "pad_token": names[PADDING],
        "clean_up_tokenization_spaces": False,
        "chat_template": _TEMPLATE,
    }
