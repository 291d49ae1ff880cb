"""What a host tells the gateway that it starts, in one line that nobody else can read."""

from __future__ import annotations

from pathlib import Path

import msgspec

from kernelway.settings import ServeSettings


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a gateway has to know.

    A host may start a gateway of another version than its own: what one of them does not know is left out, or
    has its default.
    """

    settings: ServeSettings
    token: str | None
    """What clients must show; None where everybody may come in."""
    listener: int
    """The descriptor of the listening socket."""
    host_socket: Path
    """The Unix socket that the host serves."""


def encode_orders(orders: Orders) -> bytes:
    """The line, without its end."""
    return msgspec.json.encode(orders, enc_hook=_encode_path)


def decode_orders(line: bytes) -> Orders:
    """What the line says; msgspec's errors where it says something else."""
    return msgspec.json.decode(line, type=Orders, dec_hook=_decode_path)


def _encode_path(value: object) -> str:
    if not isinstance(value, Path):
        raise NotImplementedError(f"{type(value).__name__} has no place in a gateway's orders.")
    # The other end may work in another folder.
    return str(value.absolute())


def _decode_path(kind: type, value: object) -> Path:
    if kind is not Path or not isinstance(value, str):
        raise NotImplementedError(f"{kind.__name__} has no place in a gateway's orders.")
    return Path(value)
