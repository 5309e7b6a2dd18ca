"""Plain JSON values to frozen dataclasses and back, strictly: an unknown key or a wrong type is an error."""

import dataclasses
import types
import typing
from typing import Any, TypeVar

from trainer.errors import ConfigError

Record = TypeVar("Record")


def parse(kind: type[Record], value: object, where: str) -> Record:
    """`value` as a `kind`, a dataclass of numbers, texts, flags, tuples of those, optional ones and other dataclasses.

    Args:
        kind: the dataclass.
        value: what `json.loads` gave.
        where: how messages name the place, for example "run.json".

    Raises:
        ConfigError: a key is unknown or missing, or a value has the wrong type.

    """
    if not isinstance(value, dict):
        raise ConfigError(f"{where} must be an object with the keys {', '.join(_names(kind))}.")
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise ConfigError(f"{where} has the unknown key {unknown[0]!r}; the keys are {', '.join(_names(kind))}.")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # callers pass dataclasses
    for name, field in fields.items():
        optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if name not in value and not optional:
            raise ConfigError(f"{where} needs the key {name!r}.")
    return kind(**{name: _convert(hints[name], given, f"{where}: {name}") for name, given in value.items()})


def plain(record: Any) -> dict[str, Any]:
    """The record as values that JSON knows; `parse` gives it back."""
    return dataclasses.asdict(record)


def _names(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def _convert(hint: Any, value: object, where: str) -> Any:
    """`value` as the type that `hint` names."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        if value is None and type(None) in arguments:
            return None
        return _convert(next(kind for kind in arguments if kind is not type(None)), value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise ConfigError(f"{where} must be one of {', '.join(map(str, arguments))}, not {value!r}.")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{where} must be a list, not {value!r}.")
        return tuple(_convert(arguments[0], item, where) for item in value)
    if dataclasses.is_dataclass(hint):
        return parse(typing.cast("type[Any]", hint), value, where)
    return _scalar(hint, value, where)


def _scalar(kind: type, value: object, where: str) -> object:
    """A number, a text or a flag; JSON's true is no number here, and a whole number may stand for a real one."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
        raise ConfigError(f"{where} must be {names[kind]}, not {value!r}.")
    return value
