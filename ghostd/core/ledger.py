"""The Merkle tree behind the ledger and the manifest (RFC 6962, section 2.1): hashes and proofs, no storage or keys."""

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()
_HASH = 32  # bytes of a SHA-256


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data); the prefix keeps a leaf from ever passing for an inner node."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that only grows: keeps the roots of its complete subtrees, so memory is O(log leaves)."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # of the complete subtrees, the largest first: one for each set bit of size

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash at the end."""
        peak, size = leaf, self.size
        while size & 1:
            peak = node_hash(self._peaks.pop(), peak)
            size >>= 1
        self._peaks.append(peak)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def _half(size: int) -> int:
    """The largest power of two below `size`: how many leaves stand in the left subtree."""
    return 1 << ((size - 1).bit_length() - 1)


class Tree:
    """A whole tree with all of its inner nodes, 64 bytes a leaf: any proof costs O(log leaves)."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self._levels = [bytearray(b"".join(leaves))]  # of complete subtrees: level n holds those of 2**n leaves
        self.size = len(self._levels[0]) // _HASH
        while (below := self._levels[-1]) and len(below) >= 2 * _HASH:
            pairs = range(0, len(below) - len(below) % (2 * _HASH), 2 * _HASH)
            nodes = (hashlib.sha256(b"\x01" + below[at : at + 2 * _HASH]).digest() for at in pairs)
            self._levels.append(bytearray(b"".join(nodes)))
        self._ragged: dict[tuple[int, int], bytes] = {}  # subtrees at a right edge, of which there are few

    def leaf(self, index: int) -> bytes:
        """The leaf hash at `index`. Raises IndexError outside the tree."""
        if not 0 <= index < self.size:
            raise IndexError(f"leaf {index} of a tree with {self.size} leaves")
        return bytes(self._levels[0][index * _HASH : (index + 1) * _HASH])

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` leaves, all of them by default. Raises IndexError beyond the tree."""
        size = self.size if size is None else size
        if not 0 <= size <= self.size:
            raise IndexError(f"{size} leaves of a tree with {self.size}")
        return self._subtree(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int) -> list[bytes]:
        """The audit path of the leaf at `index` (RFC 6962, section 2.1.1). Raises IndexError outside the tree."""
        if not 0 <= index < self.size:
            raise IndexError(f"leaf {index} of a tree with {self.size} leaves")
        path: list[bytes] = []
        start, end = 0, self.size
        while end - start > 1:
            middle = start + _half(end - start)
            if index < middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start = middle
        return path[::-1]

    def consistency_proof(self, old_size: int) -> list[bytes]:
        """What shows that the tree's first `old_size` leaves are the old tree (RFC 6962, section 2.1.2).

        Raises IndexError unless 0 < old_size <= size.
        """
        if not 0 < old_size <= self.size:
            raise IndexError(f"an old tree of {old_size} leaves in one of {self.size}")
        path: list[bytes] = []
        on_the_left_edge = True  # the verifier knows the old root, so it is left out where it stands as it was
        start, end = 0, self.size
        while old_size < end:
            middle = start + _half(end - start)
            if old_size <= middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start, on_the_left_edge = middle, False
        if not on_the_left_edge:
            path.append(self._subtree(start, end))
        return path[::-1]

    def _subtree(self, start: int, end: int) -> bytes:
        size = end - start
        if not size & (size - 1):  # complete, and RFC 6962 only ever asks for aligned ones
            at = start // size * _HASH
            return bytes(self._levels[size.bit_length() - 1][at : at + _HASH])
        if (start, end) not in self._ragged:
            middle = start + _half(size)
            self._ragged[start, end] = node_hash(self._subtree(start, middle), self._subtree(middle, end))
        return self._ragged[start, end]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """One proof of `Tree.inclusion_proof`; whoever needs several keeps the tree."""
    return Tree(leaves).inclusion_proof(index)


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether the proof shows `leaf` at `index` of the tree of `size` leaves (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and computed == expected_root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """One proof of `Tree.consistency_proof`."""
    return Tree(leaves).consistency_proof(old_size)


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows the new tree to be the old one with leaves appended (RFC 9162, section 2.1.4.2)."""
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not path:
        return False
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root
