"""What a request means for the model: prompts read, answers written, states kept, as a generator of events."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.bytes import Ids
from trainer.decode.decoder import PIECE, Decoder, read_in_pieces
from trainer.decode.draft import Drafter
from trainer.decode.prefix_cache import PrefixCache
from trainer.generate import Finish, Reader, Writer
from trainer.sampling import Sampler, log_probabilities
from trainer.serve.states import States
from trainer.serve.wire import Asked


@dataclass(frozen=True, slots=True)
class Scored:
    """An id of a text, and where it was asked for, how likely it was."""

    id: int
    log_probability: float | None = None  # None: not asked for, or nothing stood before it
    top: tuple[tuple[int, float], ...] = ()  # the likeliest ids at its place with theirs, the likeliest first


@dataclass(frozen=True, slots=True)
class Piece:
    """One more id of a choice."""

    choice: int
    scored: Scored


@dataclass(frozen=True, slots=True)
class Ended:
    """A choice is whole."""

    choice: int
    finish: Finish
    ids: int  # that were chosen, the boundary at the end included
    state_id: str  # '' where none was saved


Event = Piece | Ended | None  # None: the prompt is being read


@dataclass(frozen=True, slots=True)
class Desk:
    """What all requests share; to be used on the engine's thread only."""

    decoder: Decoder
    cache: PrefixCache
    states: States
    drafter: Callable[[], Drafter | None]

    def work(self, asked: Asked) -> Iterator[Event]:
        """All choices of all prompts, one after the other. Raises BadRequest, or CheckpointError for a full disk."""
        for number, (prompt, shown) in enumerate(zip(asked.prompts, asked.shown, strict=True)):
            reader = yield from self._read(asked, prompt)
            echoed = list(self._echo(asked, prompt, shown)) if asked.options.echo else []
            for turn in range(asked.options.n):
                choice = number * asked.options.n + turn
                yield from (Piece(choice, scored) for scored in echoed)
                own = Reader(self.decoder, reader.memory.fork(), reader.logits)
                yield from self._write(asked, own, prompt, choice)

    def _read(self, asked: Asked, prompt: Ids) -> Generator[None, None, Reader]:
        if not asked.options.state_id:
            return (yield from self.cache.reading(prompt))
        memory, ids = self.states.fork(asked.options.state_id), prompt.astype(np.int64)
        last = (len(ids) - 1) // PIECE * PIECE
        for start in range(0, last, PIECE):
            read_in_pieces(self.decoder, memory, ids[start : start + PIECE])
            yield
        return Reader(self.decoder, memory, read_in_pieces(self.decoder, memory, ids[last:]))

    def _echo(self, asked: Asked, prompt: Ids, shown: Ids) -> Iterator[Scored]:
        """The ids of the prompt; those before the first shown one only stand before it."""
        if asked.top is None:
            yield from (Scored(int(each)) for each in shown)
            return
        memory, hidden = self.decoder.begin(), len(prompt) - len(shown)
        logits: NDArray[np.float32] | None = None
        for start in range(0, len(prompt), PIECE):
            ids = prompt[start : start + PIECE].astype(np.int64)
            for place, (each, row) in enumerate(zip(ids, self.decoder.read(memory, ids), strict=True), start=start):
                if place >= hidden:
                    yield _scored(int(each), logits, asked.top)
                logits = row

    def _write(self, asked: Asked, reader: Reader, prompt: Ids, choice: int) -> Iterator[Event]:
        kept = reader.memory.fork() if asked.options.save_state else None
        sampler = Sampler(asked.sampling, asked.seed + choice)
        sampler.remember(prompt.tolist())
        drafter = self.drafter()
        writer = Writer(
            reader, most=asked.most, sampler=sampler, stops=asked.stops, drafter=drafter, prompt=prompt.tolist()
        )
        written: list[int] = []
        for token in writer.tokens():
            written.append(token.byte)
            yield Piece(choice, _scored(token.byte, token.logits, asked.top))
        if writer.end is not None and writer.finish == "stop":
            yield Piece(choice, _scored(writer.end.byte, writer.end.logits, asked.top))
        state_id = ""
        if kept is not None:  # what was read beyond a stop, or guessed, is not in it
            if written:
                read_in_pieces(self.decoder, kept, np.array(written))
            state_id = self.states.save(kept)
        yield Ended(choice, writer.finish, len(written) + (writer.end is not None), state_id)


def _scored(each: int, logits: NDArray[np.float32] | None, top: int | None) -> Scored:
    if top is None or logits is None:
        return Scored(each)
    likely = log_probabilities(logits)
    best = np.argsort(-likely, kind="stable")[:top]
    return Scored(each, float(likely[each]), tuple((int(one), float(likely[one])) for one in best))
