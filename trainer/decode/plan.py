"""A language model as a program for native.c, or the reason why it cannot be one; it runs nothing."""

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Final

import numpy as np

from trainer.decode.program import Epilogue, Kind, Program, padded
from trainer.layers.block import Block
from trainer.layers.feed_forward import FeedForward, SquaredReluMlp, SwigluMlp
from trainer.layers.positions import rates
from trainer.model import LanguageModel

_MIXERS: Final = "trainer.decode.mixers"
_BASE: Final = 10_000.0


class NotPlanned(Exception):
    """The model has a part that no instruction computes; it is decoded eagerly."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A program whose last instruction, where there are predictive heads, is theirs."""

    program: Program
    logits: int  # place in the scratch
    ahead: int  # place in the scratch


def plan_of(model: LanguageModel, *, small: bool) -> Plan:
    """The program that computes what the model computes.

    Args:
        model: in fp32.
        small: int8 weights with one scale for each row.

    Raises:
        NotPlanned: a part has no layout, or some parameter would be left unread.

    """
    shape, program = model.shape, Program(small)
    if shape.norm != "rms" or model.recall is not None:
        raise NotPlanned("its norm, or the facts that were written into it, have no layout")
    width = shape.width
    stream, logits = program.row(width), program.row(shape.vocabulary)
    ahead, angles = program.row(shape.ahead * shape.vocabulary), program.row(shape.head_width)
    table = program.array(model.embedding.weight)
    table = table / np.sqrt((table**2).mean(axis=1, keepdims=True) + np.finfo(np.float32).eps)
    program.emit(Kind.EMBED, out=stream, wait=False, sizes=(padded(width),), tables=(program.vector(table),))
    turns = rates(shape.head_width // 2, _BASE, model.head.weight.device).cpu().numpy()
    program.emit(Kind.ANGLES, out=angles, wait=True, sizes=(len(turns),), weights=program.address(turns))
    for name, block in zip(shape.mixers, model.layers(), strict=True):
        _lay_out(name, block, program, stream, angles)
    cap = (program.vector(np.array([shape.logit_cap], np.float32)),)
    epilogue = Epilogue.CAP if shape.logit_cap else Epilogue.STORE
    program.multiply(model.head.weight, stream, logits, epilogue=epilogue, normed=width, exact=True, tables=cap)
    if model.ahead is not None:
        program.multiply(model.ahead.weight, stream, ahead, epilogue=epilogue, normed=width, tables=cap)
    left = [name for name, parameter in model.named_parameters() if id(parameter) not in program.taken]
    if left:
        raise NotPlanned(f"no instruction reads {left[0]}")
    return Plan(program, logits, ahead)


def _lay_out(name: str, block: Block, program: Program, stream: int, angles: int) -> None:
    if importlib.util.find_spec(f"{_MIXERS}.{name}") is None:
        raise NotPlanned(f"{name} has no layout")
    region = importlib.import_module(f"{_MIXERS}.{name}").lay_out(block.mixer, program, stream, angles)
    if region is None:
        raise NotPlanned(f"{name} is too large for its layout")
    program.regions.append(region)
    if block.mlp is not None:
        _lay_out_mlp(block.mlp, program, stream)


def _lay_out_mlp(mlp: FeedForward, program: Program, stream: int) -> None:
    width, inner = mlp.up.in_features, program.row(mlp.up.out_features)
    match mlp:
        case SquaredReluMlp():
            program.multiply(mlp.up.weight, stream, inner, epilogue=Epilogue.SQUARED_RELU, normed=width)
        case SwigluMlp():
            program.multiply(mlp.gate.weight, stream, inner, epilogue=Epilogue.SILU, normed=width)
            program.multiply(mlp.up.weight, stream, inner, epilogue=Epilogue.TIMES, normed=width)
        case _:
            raise NotPlanned(f"{type(mlp).__name__} has no layout")
    program.multiply(mlp.down.weight, inner, stream, epilogue=Epilogue.ADD)
