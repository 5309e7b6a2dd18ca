"""A language model as a program for native.c, or the reason why it cannot be one; it runs nothing."""

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Final

import numpy as np

from trainer.decode.feed_forward import lay_out_mlp
from trainer.decode.front import Slots, lay_out_mean, lay_out_tokenizer
from trainer.decode.program import Common, Epilogue, Kind, NotPlanned, Program, padded
from trainer.decode.region import FRONT
from trainer.layers.block import Block
from trainer.layers.positions import rates
from trainer.model import LanguageModel

_MIXERS: Final = "trainer.decode.mixers"


@dataclass(frozen=True, slots=True)
class Plan:
    """A program whose last instruction, where there are predictive heads, is theirs."""

    program: Program
    logits: int  # place in the scratch
    ahead: int  # place in the scratch
    contexts: int | None  # place in the scratch of a document's mean, and behind it of what is known; None without


def plan_of(model: LanguageModel, *, small: bool) -> Plan:
    """The program that computes what the model computes, before facts that were written into it are recalled.

    Args:
        model: in fp32.
        small: int8 weights with one scale for each row.

    Raises:
        NotPlanned: a part has no layout, or some parameter would be left unread.

    """
    shape, program = model.shape, Program(small)
    if shape.norm != "rms":
        raise NotPlanned("its norm has no layout")
    width = shape.width
    stream, logits = program.row(width), program.row(shape.vocabulary)
    ahead = program.row(shape.ahead * shape.vocabulary)
    table = program.array(model.embedding.weight)
    table = table / np.sqrt((table**2).mean(axis=1, keepdims=True) + np.finfo(np.float32).eps)
    program.emit(Kind.EMBED, out=stream, wait=True, sizes=(padded(width),), tables=(program.vector(table),))
    common = _turned(model, program, stream)
    slots = None if model.memory is None else Slots.of(model.memory, program, table)
    for layer, (name, block) in enumerate(zip(shape.mixers, model.layers(), strict=True)):
        program.owner = layer
        _lay_out(name, block, program, common)
        if slots is not None:
            slots.lay_out(program, stream, layer)
    program.owner = FRONT
    contexts = None if model.mean is None else lay_out_mean(program, stream, width)
    cap = (program.vector(np.array([shape.logit_cap], np.float32)),)
    epilogue = Epilogue.CAP if shape.logit_cap else Epilogue.STORE
    program.multiply(model.head.weight, stream, logits, epilogue=epilogue, normed=width, exact=True, tables=cap)
    if model.ahead is not None:
        program.multiply(model.ahead.weight, stream, ahead, epilogue=epilogue, normed=width, tables=cap)
    left = [name for name, parameter in model.named_parameters() if id(parameter) not in program.taken]
    if left:
        raise NotPlanned(f"no instruction reads {left[0]}")
    return Plan(program, logits, ahead, contexts)


def _turned(model: LanguageModel, program: Program, stream: int) -> Common:
    """Instructions for the angles that layers need, and for the tokenizer, which counts words."""
    shape, device = model.shape, model.head.weight.device
    angles, word_angles = program.row(shape.head_width), program.row(shape.head_width)
    pairs = shape.head_width // 2
    halves = tuple(rates(count, device).cpu().numpy() for count in (pairs - pairs // 2, pairs // 2))
    wanted = {"attention": (angles, rates(pairs, device).cpu().numpy())}
    if model.tokenizer is not None:
        lay_out_tokenizer(model.tokenizer, program, stream, word_angles, halves)
    else:  # every byte is a word
        wanted["sparse_attention"] = (word_angles, np.concatenate(halves))
    for mixer, (place, turns) in wanted.items():
        if mixer in shape.mixers:
            program.emit(Kind.ANGLES, out=place, wait=True, sizes=(len(turns),), weights=program.address(turns))
    return Common(stream, angles, word_angles)


def _lay_out(name: str, block: Block, program: Program, common: Common) -> None:
    if importlib.util.find_spec(f"{_MIXERS}.{name}") is None:
        raise NotPlanned(f"{name} has no layout")
    importlib.import_module(f"{_MIXERS}.{name}").lay_out(block.mixer, program, common)
    if block.mlp is not None:
        lay_out_mlp(block.mlp, program, common.stream)
