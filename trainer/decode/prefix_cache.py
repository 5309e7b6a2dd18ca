"""What was read of common beginnings, not to be read again: a trie of pieces with memories, bounded in bytes.

A memory is kept at every multiple of `every` ids. What follows from it is what follows from reading all of it anew, to
the last bit (`decoder.read_in_pieces`). Where room is wanted, the memory that was not used for the longest time goes.
"""

from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from trainer.bytes import Ids
from trainer.decode.decoder import PIECE, Decoder, Memory, read_in_pieces
from trainer.generate import Reader

_DEFAULT_BYTES: Final = 256 * 2**20


@dataclass(slots=True, eq=False)
class _Node:
    """A beginning: the pieces on the way from the root."""

    parent: "_Node | None"
    piece: bytes
    children: dict[bytes, "_Node"] = field(default_factory=dict)
    memory: Memory | None = None


class PrefixCache:
    """Reads prompts, and remembers.

    Args:
        decoder: whose memories these are.
        every: ids between two memories, a multiple of PIECE.
        most: bytes of all memories together.

    """

    def __init__(self, decoder: Decoder, every: int = 4 * PIECE, most: int = _DEFAULT_BYTES) -> None:
        if every % PIECE:
            raise ValueError(f"every must be a multiple of {PIECE}, not {every}.")
        self._decoder, self._every, self._most = decoder, every, most
        self._root = _Node(None, b"")
        self._used: OrderedDict[int, _Node] = OrderedDict()  # nodes with memories by id, the last used at the end
        self.size = 0  # bytes of all memories
        self.saved = 0  # ids that were not read again

    def read(self, prompt: Ids) -> Reader:
        """The reader of the whole prompt, at least one id; nobody else has its memory."""
        steps = self.reading(prompt)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                reader: Reader = end.value
                return reader

    def reading(self, prompt: Ids) -> Generator[None, None, Reader]:
        """The same in steps of `every` ids, for those who have other things to do between them."""
        ids = prompt.astype(np.int64)
        node = found = self._root
        start = 0
        pieces = [prompt[at : at + self._every].tobytes() for at in range(0, len(ids) - self._every, self._every)]
        for number, piece in enumerate(pieces, start=1):
            if piece not in node.children:
                break
            node = node.children[piece]
            if node.memory is not None:
                found, start = node, number
        memory = self._decoder.begin() if found.memory is None else found.memory.fork()
        if found.memory is not None:
            self._used.move_to_end(id(found))
        self.saved += start * self._every
        for number in range(start, len(pieces)):
            read_in_pieces(self._decoder, memory, ids[number * self._every : (number + 1) * self._every])
            if found.memory is None:  # it had to go meanwhile, and may be off the trie
                found = self._node(pieces[:number])
            found = self._child(found, pieces[number])
            self._keep(found, memory.fork())
            yield
        return Reader(self._decoder, memory, read_in_pieces(self._decoder, memory, ids[len(pieces) * self._every :]))

    def __len__(self) -> int:
        return len(self._used)

    def _node(self, pieces: list[bytes]) -> _Node:
        node = self._root
        for piece in pieces:
            node = self._child(node, piece)
        return node

    @staticmethod
    def _child(node: _Node, piece: bytes) -> _Node:
        if piece not in node.children:
            node.children[piece] = _Node(node, piece)
        return node.children[piece]

    def _keep(self, node: _Node, memory: Memory) -> None:
        """Keeps the memory, and lets others go, or this one, until all fit the room."""
        if node.memory is None:
            node.memory = memory
            self._used[id(node)] = node
            self.size += memory.size
        self._used.move_to_end(id(node))
        while self.size > self._most:
            _, oldest = self._used.popitem(last=False)
            if oldest.memory is not None:
                self.size -= oldest.memory.size
            oldest.memory = None
            _prune(oldest)


def _prune(node: _Node) -> None:
    """Takes a node that leads to nothing off its parent, and so on upwards."""
    while node.parent is not None and node.memory is None and not node.children:
        del node.parent.children[node.piece]
        node = node.parent
