"""Who gets in: one synchronous decision for each request, REST and WebSocket alike."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from kernelway.protocol.errors import Forbidden, RequestError, Unauthorized

_REFUSED = "The token is not the one of this gateway."
_ASKED_FOR = "A token is needed: send it as 'Authorization: token …' or '?token=…'."


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The facts of a request that the decision rests on; an absent header is None."""

    host: str | None
    origin: str | None
    authorization: str | None
    query_token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """Who may come in.

    ``token`` is None where everybody may who can reach the address. ``on_loopback`` turns on the check of
    the Host header: a page of any site can let its own name resolve to 127.0.0.1, and a browser then counts
    the gateway as that site. On an outer address the name is whatever the network calls it, and the check
    would keep out those it should let in.
    """

    token: str | None
    on_loopback: bool
    allow_origin: tuple[str, ...] = ()
    allow_host: tuple[str, ...] = ()
    """Origins and names in small letters, as browsers send them; origins without a slash at the end."""

    def refusal(self, request: Request, *, needs_token: bool = True) -> RequestError | None:
        """Why a request is not let in, or None where it is."""
        if self.on_loopback and not self._knows_host(request.host):
            name = _name(request.host)
            return Forbidden(f"{name!r} is not a name of this gateway; --allow-host {name} makes it one.")
        in_header = _header_token(request.authorization)
        shown = in_header or request.query_token
        if needs_token and self.token is not None and not _equal(shown, self.token):
            return Unauthorized(_REFUSED if shown else _ASKED_FOR)
        # A token in a header proves that no browser sent it on behalf of a page that does not know it.
        if self.token is not None and _equal(in_header, self.token):
            return None
        origin = request.origin
        if origin is None or self.allows_origin(origin) or _same_host(origin, request.host):
            return None
        return Forbidden(f"Pages of {origin} may not call this gateway; --allow-origin {origin} lets them.")

    def allows_origin(self, origin: str) -> bool:
        """Whether pages of another site may call, and read the answers."""
        return "*" in self.allow_origin or origin.lower() in self.allow_origin

    def _knows_host(self, host: str | None) -> bool:
        name = _name(host)
        if name == "localhost" or name.endswith(".localhost") or name in self.allow_host:
            return True
        return is_loopback(name)


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach the address; a name other than localhost counts as an outer one."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def _name(host: str | None) -> str:
    try:
        return urlsplit(f"//{host or ''}").hostname or ""
    except ValueError:
        return ""


def _header_token(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() in ("token", "bearer") else None


def _equal(shown: str | None, token: str) -> bool:
    return hmac.compare_digest((shown or "").encode("utf-8", "surrogateescape"), token.encode())


def _same_host(origin: str, host: str | None) -> bool:
    # "null", the origin of a sandboxed page or a local file, has no host; it equals that of nobody.
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == (host or "").lower()
    except ValueError:
        return False
