"""One name for a kernelspec on a gateway, in characters that Jupyter's URLs allow.

Jupyter names kernelspecs in letters, digits and ``. _ -``; people name gateways as they like ("Remote
notebook"). Where one name must carry both it is ``<kernelspec>.<label>``, as in ``python3.remote-notebook``.
A label has no dot, so the last dot of a name always stands before the label. Labels are in small letters,
because jupyter_client folds the case of kernelspec names.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from kernelway.protocol.errors import ConfigError


@dataclass(frozen=True, slots=True)
class RemoteKernelspec:
    """A kernelspec's own name, and the gateway that it is on, by the name that people gave that."""

    kernelspec: str
    gateway: str

    def __str__(self) -> str:
        return remote_name(self.kernelspec, self.gateway)


def gateway_label(gateway: str) -> str:
    """A gateway's name in small letters, digits, ``_`` and ``-``; what else is in it becomes ``-``.

    Accents are dropped. A name of which nothing would be left gets a label from its hash. Different names can
    have the same label: :func:`check_gateway_names` finds them.
    """
    decomposed = unicodedata.normalize("NFKD", gateway)
    ascii_only = "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()
    label = re.sub(r"[^a-z0-9_]+", "-", ascii_only).strip("-")
    if label:
        return label
    return "gateway-" + hashlib.sha256(gateway.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def remote_name(kernelspec: str, gateway: str) -> str:
    """The single name of a kernelspec on a gateway."""
    return f"{kernelspec}.{gateway_label(gateway)}"


def find_remote(name: str, gateways: Iterable[str]) -> RemoteKernelspec | None:
    """What a single name stands for, given the names of the known gateways; None where it is none of theirs.

    A local kernelspec may have a dot in its name too (``python3.11``), so look for a local one first.
    """
    kernelspec, dot, label = name.rpartition(".")
    if not dot or not kernelspec:
        return None
    for gateway in gateways:
        if gateway_label(gateway) == label.lower():
            return RemoteKernelspec(kernelspec, gateway)
    return None


def check_gateway_names(gateways: Iterable[str]) -> None:
    """Raise :class:`ConfigError` for names that are empty, unprintable, or too alike to be told apart."""
    seen: dict[str, str] = {}
    for gateway in gateways:
        if not gateway.strip() or not gateway.isprintable():
            raise ConfigError(f"{gateway!r} cannot be a gateway's name: it must hold something to read.")
        label = gateway_label(gateway)
        if (other := seen.get(label)) is not None:
            which = (
                "Two gateways are both" if other == gateway else f"The gateways {other!r} and {gateway!r} are"
            )
            raise ConfigError(
                f"{which} called {label!r} where a single name must carry a kernelspec and its gateway: give "
                "one of them another name."
            )
        seen[label] = gateway
