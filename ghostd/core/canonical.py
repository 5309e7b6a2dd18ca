"""The canonical form of plain values: one JSON text per value, exact; it knows nothing of processes or files.

After RFC 8785 (sorted keys, no white space, UTF-8), with a tagged object for every type that JSON lacks:

    None bool str list          themselves
    int                         a number up to 2**53 in magnitude, {"int": "0x..."} beyond
    float                       {"float": float.hex}; nan, inf, -inf and -0x0.0p+0 are texts of their own
    complex                     {"complex": [hex, hex]}
    bytes                       {"bytes": base64}
    tuple                       {"tuple": [...]}
    set, frozenset              {"set": [...]}, {"frozenset": [...]} sorted by canonical text
    dict                        {"dict": [[key, value], ...], "sorted": bit} sorted by canonical text of the keys; the
                                bit says whether insertion order was that order
    Fraction, Decimal           {"fraction": [n, d]}, {"decimal": text}
    array.array                 {"array": typecode, "items": [...], "shape": [n]}
    str with lone surrogates    {"surrogates": base64 of UTF-8 with surrogatepass}

Only exact types count: an object that merely looks like a list may answer every comparison with True.
This file is stdlib only and is also copied into the sandbox, so that both sides share one definition.
"""

import base64
import binascii
import hashlib
import json
from array import array
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

SAFE_INTEGER = 2**53  # RFC 8785 section 3.2.2.3: beyond it a JSON number is not exact everywhere
_JSON_ITSELF = (type(None), bool)


class NotCanonical(TypeError):
    """The value is not plain data, so it cannot leave the process that made it."""


def encode(value: object) -> str:
    """The exact canonical text. Raises NotCanonical for any other type, a cycle, or too deep a nesting."""
    try:
        return _dump(_tree(value))
    except RecursionError:
        raise NotCanonical("the value is cyclic or nested too deeply") from None


def decode(text: str) -> Any:
    """The value of an exact canonical text. Raises ValueError when it is not one."""
    try:
        return _value(json.loads(text))
    except (KeyError, TypeError, IndexError, InvalidOperation, ZeroDivisionError, binascii.Error) as problem:
        raise ValueError(f"not a canonical text: {problem}") from None
    except RecursionError:
        raise ValueError("not a canonical text: nested too deeply") from None


def tolerant(text: str) -> str:
    """The same text with every float at 12 significant digits; equal for results that differ in their last bits."""
    return _dump(_rounded(json.loads(text)))


def display(text: str) -> str:
    """How Python would write the value, but with sets and dicts in canonical order; for people, not for hashing."""
    return _shown(json.loads(text))


def digest(content: object) -> str:
    """sha256 in hex: of a text's UTF-8 bytes, or of the canonical JSON of lists, dicts, texts, integers and None."""
    text = content if isinstance(content, str) else _dump(content)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _dump(tree: object) -> str:
    return json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _tree(value: Any) -> Any:  # noqa: C901, PLR0911, PLR0912 - one branch per type is the clearest form of a table
    kind = type(value)
    if kind in _JSON_ITSELF:
        return value
    if kind is int:
        return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else {"int": hex(value)}
    if kind is str:
        return _text_tree(value)
    if kind is float:
        return {"float": value.hex()}
    if kind is list:
        return [_tree(item) for item in value]
    if kind is tuple:
        return {"tuple": [_tree(item) for item in value]}
    if kind is dict:
        return _dict_tree(value)
    if kind is set or kind is frozenset:
        return {kind.__name__: sorted((_tree(item) for item in value), key=_dump)}
    if kind is bytes:
        return {"bytes": base64.b64encode(value).decode("ascii")}
    if kind is complex:
        return {"complex": [value.real.hex(), value.imag.hex()]}
    if kind is Fraction:
        return {"fraction": [_tree(value.numerator), _tree(value.denominator)]}
    if kind is Decimal:
        return {"decimal": str(value)}
    if kind is array:
        return {"array": value.typecode, "items": [_tree(item) for item in value], "shape": [len(value)]}
    raise NotCanonical(f"{kind.__name__} is not plain data")


def _text_tree(text: str) -> object:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return {"surrogates": base64.b64encode(text.encode("utf-8", "surrogatepass")).decode("ascii")}
    return text


def _dict_tree(mapping: dict[Any, Any]) -> object:
    pairs = [[_tree(key), _tree(item)] for key, item in mapping.items()]
    keys = [_dump(pair[0]) for pair in pairs]
    order = sorted(range(len(pairs)), key=keys.__getitem__)
    return {"dict": [pairs[place] for place in order], "sorted": order == list(range(len(pairs)))}


def _value(tree: Any) -> Any:  # noqa: C901, PLR0911, PLR0912 - the table of `_tree`, read backwards
    if isinstance(tree, list):
        return [_value(item) for item in tree]
    if not isinstance(tree, dict):
        if isinstance(tree, float):
            raise TypeError("a bare float")
        return tree
    match tree:
        case {"int": digits}:
            return int(digits, 16)
        case {"float": digits}:
            return float.fromhex(digits)
        case {"tuple": items}:
            return tuple(_value(item) for item in items)
        case {"dict": pairs, "sorted": in_order}:
            # reversed insertion order keeps the bit, so that encoding what was decoded gives the same text
            return {_value(key): _value(item) for key, item in (pairs if in_order else reversed(pairs))}
        case {"set": items}:
            return {_value(item) for item in items}
        case {"frozenset": items}:
            return frozenset(_value(item) for item in items)
        case {"bytes": text}:
            return base64.b64decode(text, validate=True)
        case {"complex": [real, imaginary]}:
            return complex(float.fromhex(real), float.fromhex(imaginary))
        case {"fraction": [numerator, denominator]}:
            return Fraction(_value(numerator), _value(denominator))
        case {"decimal": text}:
            return Decimal(text)
        case {"array": typecode, "items": items}:
            return array(typecode, [_value(item) for item in items])
        case {"surrogates": text}:
            return base64.b64decode(text, validate=True).decode("utf-8", "surrogatepass")
    raise KeyError(next(iter(tree), "{}"))


def _rounded(tree: Any) -> Any:  # noqa: PLR0911 - one return per type
    match tree:
        case list():
            return [_rounded(item) for item in tree]
        case {"float": digits}:
            return {"float": _twelve_digits(digits)}
        case {"complex": [real, imaginary]}:
            return {"complex": [_twelve_digits(real), _twelve_digits(imaginary)]}
        case {"set": items} | {"frozenset": items}:
            return {next(iter(tree)): sorted((_rounded(item) for item in items), key=_dump)}
        case {"dict": pairs}:
            return {**tree, "dict": sorted(([_rounded(key), _rounded(item)] for key, item in pairs), key=_dump)}
        case dict():
            return {tag: _rounded(content) for tag, content in tree.items()}
    return tree


def _twelve_digits(digits: str) -> str:
    return format(float.fromhex(digits) + 0.0, ".12g")  # adding +0.0 turns -0.0 into 0.0


def _shown(tree: Any) -> str:  # noqa: PLR0911 - one return per type
    match tree:
        case list():
            return f"[{', '.join(map(_shown, tree))}]"
        case {"tuple": [item]}:
            return f"({_shown(item)},)"
        case {"tuple": items}:
            return f"({', '.join(map(_shown, items))})"
        case {"dict": pairs}:
            return "{" + ", ".join(f"{_shown(key)}: {_shown(item)}" for key, item in pairs) + "}"
        case {"set": []}:
            return "set()"
        case {"set": items}:
            return "{" + ", ".join(map(_shown, items)) + "}"
        case {"frozenset": items}:
            return f"frozenset({{{', '.join(map(_shown, items))}}})" if items else "frozenset()"
        case {"int": digits}:
            return _big_integer(digits)
        case {"array": typecode, "items": items}:
            return f"array({typecode!r}, [{', '.join(map(_shown, items))}])"
    return repr(_value(tree))


def _big_integer(digits: str) -> str:
    try:
        return str(int(digits, 16))
    except ValueError:  # beyond sys.get_int_max_str_digits()
        return digits
