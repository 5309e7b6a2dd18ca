"""Text from a trained model, byte by byte in constant memory; it neither trains nor serves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from trainer import checkpoint
from trainer.bytes import ASSISTANT, BOUNDARY, BYTES, USER, Ids, encode
from trainer.config import RunConfig
from trainer.decode.decoder import Decoder, Memory, read_in_pieces
from trainer.decode.draft import Drafter
from trainer.decode.eager import EagerDecoder
from trainer.errors import CheckpointError
from trainer.memory.saving import attach
from trainer.model import LanguageModel
from trainer.sampling import Sampler, Sampling
from trainer.shape import shape_of

Finish = Literal["stop", "length"]

_MOST_UNREAD: Final = 6  # ids that are read again with every guess


def load_model(run_folder: Path, name: checkpoint.Name = "best") -> tuple[LanguageModel, RunConfig]:
    """The run's best model, or its last one where none was best yet, with the facts that it was told since.

    Raises:
        CheckpointError: there is none, or its facts are damaged.

    """
    folder = run_folder / "checkpoints"
    saved = checkpoint.load(folder, name if checkpoint.exists(folder, name) else "last")
    model = LanguageModel(shape_of(saved.run.model, saved.run.data.context))
    try:
        model.load_state_dict(saved.model)
    except RuntimeError as error:
        raise CheckpointError(f"{folder} holds another model's weights; train it anew.") from error
    attach(model, run_folder)
    return model.eval(), saved.run


def prompt_ids(text: bytes, *, chat: bool) -> Ids:
    """A document that begins with `text`, or a conversation in which it is asked and the answer begins."""
    before, after = ([BOUNDARY, USER], [ASSISTANT]) if chat else ([BOUNDARY], [])
    return np.concatenate([np.array(before, np.uint16), encode(text), np.array(after, np.uint16)])


@dataclass(frozen=True, slots=True)
class Token:
    """An id that was chosen: a byte, or the boundary, which ends the text."""

    byte: int
    logits: NDArray[np.float32]  # (vocabulary,), that it was chosen from


@dataclass(slots=True)
class Reader:
    """What was read so far, and what the model says comes next."""

    decoder: Decoder
    memory: Memory
    logits: NDArray[np.float32]  # (vocabulary,)

    @staticmethod
    def of(decoder: Decoder, prompt: Ids) -> "Reader":
        """Reads the prompt, at least one id, from nothing."""
        memory = decoder.begin()
        return Reader(decoder, memory, read_in_pieces(decoder, memory, prompt.astype(np.int64)))


class Writer:
    """Writes after what was read; `finish` says why it ended, once it has.

    What is kept is the memory, which does not grow, and the last bytes where they may be the beginning of a stop;
    with a drafter also everything that was written.

    Args:
        reader: its memory is changed; fork it before if it is needed later.
        most: bytes.
        sampler: chooses; it has counted the prompt already, if that is to be penalized.
        stops: texts to end before.
        drafter: guesses ids so that several are read at once. The text is the same with it or without, as long as the
            decoder gives the same logits for ids read together and one by one.
        prompt: what was read, for the drafter.

    """

    def __init__(
        self,
        reader: Reader,
        *,
        most: int,
        sampler: Sampler,
        stops: Sequence[bytes] = (),
        drafter: Drafter | None = None,
        prompt: Sequence[int] = (),
    ) -> None:
        self.finish: Finish = "length"
        self.end: Token | None = None  # the boundary, where the model chose it
        self.reads = 0  # calls of the decoder
        self._reader, self._sampler, self._most = reader, sampler, most
        self._stops = [stop for stop in stops if stop]
        self._drafter, self._written = drafter, list(prompt)

    def tokens(self) -> Iterator[Token]:
        """The bytes, each as soon as it is certain that it is before a stop, until the model's boundary or a stop."""
        held: list[Token] = []  # may be the beginning of a stop
        for token in self._chosen():
            held.append(token)
            text = bytes(each.byte for each in held)
            found = [text.find(stop) for stop in self._stops if stop in text]
            if found:
                self.finish = "stop"
                yield from held[: min(found)]
                return
            certain = len(held) - _beginning_of_stop(text, self._stops)
            yield from held[:certain]
            del held[:certain]
        yield from held

    def _chosen(self) -> Iterator[Token]:
        """Bytes as the sampler draws them, at most as many as are wanted."""
        steps = self._one_by_one() if self._drafter is None else self._drafted(self._drafter)
        for count, (chosen, logits) in enumerate(steps, start=1):
            if chosen >= BYTES:
                self.finish, self.end = "stop", Token(chosen, logits)
                return
            yield Token(chosen, logits)
            if count == self._most:
                return

    def _one_by_one(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        reader, ids = self._reader, np.empty(1, np.int64)
        while True:
            logits = reader.logits
            ids[0] = self._sampler.choose(logits)
            yield int(ids[0]), logits
            reader.logits = reader.decoder.read(reader.memory, ids)[0]
            self.reads += 1

    def _drafted(self, drafter: Drafter) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Draws from each row of logits as long as what is drawn is what was guessed, so nothing but the speed changes.

        Where a guess fails, the memory goes back to what it was before the guesses, and what was chosen since is read
        again together with the next guesses.
        """
        reader, count = self._reader, 0
        chosen = self._sampler.choose(reader.logits)
        yield chosen, reader.logits
        unread, ahead = [chosen], None  # chosen and not in the memory; what the heads said where it was chosen
        while True:
            self._written.append(chosen)
            if len(unread) > _MOST_UNREAD:
                reader.decoder.read(reader.memory, np.array(unread[:-1]))
                unread = unread[-1:]
            guesses = drafter.after(self._written, ahead)
            back = reader.memory.back(len(unread) + len(guesses)) if guesses else None
            rows, heads = reader.decoder.read_ahead(reader.memory, np.array(unread + guesses))
            self.reads += 1
            rows, heads = rows[len(unread) - 1 :], heads[len(unread) - 1 :]
            for count, row in enumerate(rows):
                chosen = self._sampler.choose(row)
                yield chosen, row
                if count == len(guesses) or chosen != guesses[count]:
                    break
                self._written.append(chosen)
            ahead = heads[count] if len(heads[count]) else None
            if back is None or count == len(guesses):
                unread = [chosen]
            else:
                back()
                unread = [*unread, *guesses[:count], chosen]


def generate(
    model: LanguageModel,
    prompt: Ids,
    *,
    most: int,
    sampling: Sampling,
    seed: int,
    stops: Sequence[bytes] = (),
    decoder: Decoder | None = None,
) -> Iterator[int]:
    """The bytes after the prompt, by the decoder, or eagerly where there is none."""
    reader = Reader.of(decoder or EagerDecoder(model), prompt)
    sampler = Sampler(sampling, seed)
    sampler.remember(prompt.tolist())
    return (token.byte for token in Writer(reader, most=most, sampler=sampler, stops=stops).tokens())


def _beginning_of_stop(text: bytes, stops: Sequence[bytes]) -> int:
    """How many of the last bytes of `text` may turn out to be a stop."""
    return max(
        (size for stop in stops for size in range(1, min(len(stop), len(text) + 1)) if text.endswith(stop[:size])),
        default=0,
    )
