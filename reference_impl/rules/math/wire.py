"""Messages on a pipe: JSON with its length before it.

The texts are what a model wrote, so nothing here can run anything, as unpickling would.
"""

import json
import struct

_LENGTH = struct.Struct("!I")


def pack(message: dict) -> bytes:
    r"""Write a message out.

    Args:
        message: What JSON can hold. Any str can travel, a lone surrogate included.

    Returns:
        The bytes to put on the pipe.

    Example:
        >>> pack({"id": 1})
        b'\x00\x00\x00\t{"id": 1}'

    Explained in :ref:`math-clock`.
    """
    body = json.dumps(message).encode("ascii")
    return _LENGTH.pack(len(body)) + body


class Inbox:
    r"""Cut what comes off a pipe into messages again.

    Example:
        >>> inbox = Inbox()
        >>> inbox.add(b'\x00\x00\x00\t{"id"')
        >>> inbox.next() is None
        True
        >>> inbox.add(b": 1}")
        >>> inbox.next()
        b'{"id": 1}'

    Explained in :ref:`math-clock`.
    """

    def __init__(self):
        self._bytes = bytearray()

    def add(self, read: bytes) -> None:
        """Put what was read behind what is there.

        Args:
            read: Bytes off the pipe.

        Explained in :ref:`math-clock`.
        """
        self._bytes += read

    def missing(self) -> int:
        """Tell how many bytes to read so as not to read into the message after the next.

        Returns:
            The number of bytes that the length, or else the next message, still lacks.

        Explained in :ref:`math-clock`.
        """
        return self._end() - len(self._bytes)

    def next(self) -> bytes | None:
        """Take the next message out.

        Returns:
            Its JSON text, or None if it is not all there yet.

        Explained in :ref:`math-clock`.
        """
        end = self._end()
        if end == _LENGTH.size or len(self._bytes) < end:
            return None
        message = bytes(self._bytes[_LENGTH.size : end])
        del self._bytes[:end]
        return message

    def _end(self) -> int:
        if len(self._bytes) < _LENGTH.size:
            return _LENGTH.size
        return _LENGTH.size + _LENGTH.unpack_from(self._bytes)[0]
