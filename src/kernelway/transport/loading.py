"""Loading aiohttp in a process of our own, without the certificates that nobody there will use."""

from __future__ import annotations

import ssl
import sys
from typing import Final

_TAKES_CERTIFICATES: Final = "set_default_verify_paths"


def load_aiohttp() -> None:
    """Import aiohttp, with two default TLS contexts that trust no certificate.

    It makes these contexts when it is imported, and reads every authority of the system into each: 40 ms and
    nearly 2 MiB, which is much of what a short command costs, and of what an idle gateway does. No connection
    of ours uses them, since each over TLS has a context of its own (:mod:`kernelway.transport.tls`); one that
    did would be refused, not left unchecked.

    For the first step of a process that is ours alone: in a program that merely uses our client these
    contexts may be somebody else's. Where aiohttp is there already, nothing happens.
    """
    if "aiohttp" in sys.modules:
        return
    setattr(ssl.SSLContext, _TAKES_CERTIFICATES, _takes_none)
    try:
        import aiohttp  # noqa: F401
    finally:
        # What was set hides the inherited method, and is in nobody's way any more.
        delattr(ssl.SSLContext, _TAKES_CERTIFICATES)


def _takes_none(_: ssl.SSLContext) -> None:
    """Stand in for what reads the system's authorities."""
