"""HMAC signatures of messages on ZeroMQ, as the messaging specification's wire protocol defines them."""

from __future__ import annotations

import hashlib
import hmac

from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import Buffer, Message

_HASHES = frozenset(name for name in hashlib.algorithms_guaranteed if not name.startswith("shake_"))
"""The hashes that every Python has; a shake has no length of its own, and so makes no signature."""


_SHORT = 1 << 14
"""Bytes; to join parts with less than that costs less than to go through them one by one."""


class Signer:
    """Signs and checks the four JSON parts of messages with a kernel's key; buffers are not covered.

    An empty key turns signing off, as in jupyter_client. ``scheme`` is ``hmac-`` and the name of a hash.
    """

    def __init__(self, key: bytes, scheme: str = "hmac-sha256") -> None:
        family, _, hash_name = scheme.partition("-")
        if family != "hmac" or hash_name not in _HASHES:
            raise FrameError(f"The signature scheme {scheme!r} is not known here: use hmac-sha256.")
        self._keyed = hmac.new(key, digestmod=hash_name) if key else None

    def sign(self, message: Message) -> bytes:
        """The hexadecimal signature, or nothing where signing is off."""
        return self.sign_parts(message.header, message.parent_header, message.metadata, message.content)

    def sign_parts(self, header: Buffer, parent_header: Buffer, metadata: Buffer, content: Buffer) -> bytes:
        """As :meth:`sign`, for parts that are no message yet."""
        if self._keyed is None:
            return b""
        mac = self._keyed.copy()
        parts = (header, parent_header, metadata, content)
        for part in (b"".join(parts),) if len(content) < _SHORT else parts:
            mac.update(part)
        return mac.hexdigest().encode("ascii")

    def check(self, signature: Buffer, message: Message) -> None:
        """Raise :class:`FrameError` unless the signature is that of the message; constant in time."""
        if self._keyed is not None and not hmac.compare_digest(self.sign(message), bytes(signature)):
            raise FrameError("A message's signature does not fit its content and the kernel's key.")
