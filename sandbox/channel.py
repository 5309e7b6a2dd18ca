"""How the cell's processes talk: frames (four bytes of length, big-endian, then the content) and two fixed messages.

Reads and writes block; every frame has a hard cap. It interprets nothing.
"""

import os
import struct

HEADER_BYTES = 4
PIDS = struct.Struct("<ii")  # zygote to supervisor: subject, examiner
EXIT = struct.Struct("<iiddq")  # zygote to supervisor: pid, wait status, user and system seconds, peak bytes


class Closed(Exception):
    """The other end is gone, or what it sends cannot be a frame."""


def read_exactly(descriptor: int, count: int) -> bytes:
    """`count` bytes. Raises Closed at the end of the stream."""
    pieces = []
    while count:
        piece = os.read(descriptor, min(count, 1 << 20))
        if not piece:
            raise Closed("end of stream")
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def read_frame(descriptor: int, cap: int) -> bytes:
    """One frame's content. Raises Closed at the end of the stream or when the frame is larger than `cap` bytes."""
    size = int.from_bytes(read_exactly(descriptor, HEADER_BYTES), "big")
    if size > cap:
        raise Closed(f"a frame of {size} bytes, {cap} allowed")
    return read_exactly(descriptor, size)


def write_frame(descriptor: int, content: bytes) -> None:
    """Write one frame. Raises Closed when nobody reads any more."""
    rest = memoryview(len(content).to_bytes(HEADER_BYTES, "big") + content)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as problem:
        raise Closed(str(problem)) from None


def read_all(descriptor: int) -> bytes:
    """The whole content of a memfd, from its start; closes it."""
    size = os.fstat(descriptor).st_size
    content = os.pread(descriptor, size, 0) if size else b""
    os.close(descriptor)
    return content
