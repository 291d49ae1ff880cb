"""Jupyter's password login: a form, a cookie that says who we are, and one against forged requests.

A proxy in front that asks for a name and a password by HTTP's own Basic scheme is given them too.

``GET login`` sets the cookie ``_xsrf``; the form posts it back with the password, and is answered with the
session's cookie and a redirect, which is not followed. Requests that the session's cookie vouches for repeat
``_xsrf`` in the header ``X-XSRFToken``. Source: jupyter_server's ``auth/login.py`` and tornado's
``check_xsrf_cookie``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import aiohttp
from yarl import URL

from kernelway.client.answers import Answer, Peer, refusal
from kernelway.protocol.errors import WrongCredentials

XSRF_COOKIE: Final = "_xsrf"
XSRF_HEADER: Final = "X-XSRFToken"
PATH: Final = "login"

Exchange = Callable[[str, str, Mapping[str, str] | None], Awaitable[Answer]]
"""One request (method, path, form) whose answer is returned whatever its status."""


class PasswordLogin:
    """The login of one gateway; overlapping requests that find it expired renew it once.

    ``exchange`` must keep cookies in the jar that the gateway's other requests use, and follow no redirect.
    """

    def __init__(self, password: str, user: str | None, *, jar: aiohttp.abc.AbstractCookieJar) -> None:
        self._password = password
        self._user = user
        self._jar = jar
        self._basic: str | None = None
        self._lock = asyncio.Lock()
        self.generation = 0
        """Which login the cookies are of: rises with every one that succeeds."""

    def headers(self, url: URL) -> dict[str, str]:
        """What a request to this address needs besides its cookies."""
        cookie = self._jar.filter_cookies(url).get(XSRF_COOKIE)
        headers = {} if cookie is None else {XSRF_HEADER: cookie.value}
        return headers if self._basic is None else headers | {"Authorization": self._basic}

    async def renew(self, generation: int, exchange: Exchange, peer: Peer) -> None:
        """Log in, unless somebody has done so since ``generation``."""
        async with self._lock:
            if self.generation == generation:
                await self._log_in(exchange, peer)
                self.generation += 1

    async def _log_in(self, exchange: Exchange, peer: Peer) -> None:
        self._jar.clear()
        page = await exchange("GET", PATH, None)
        if page.status == 401 and self._user is not None and page.challenge.lower().startswith("basic"):
            # A proxy asks, as it did of Hydrogen, and there may be no login page behind it.
            self._basic = aiohttp.encode_basic_auth(self._user, self._password)
            page = await exchange("GET", "api", None)
            if page.status == 200:
                return
        if page.status == 404:
            raise WrongCredentials(f"{peer.shown} has no password login: give its token instead.")
        if page.status != 200:
            raise refusal(page, peer)
        form = {"password": self._password}
        if self._user is not None:
            form["username"] = self._user
        if XSRF_HEADER in (found := self.headers(page.url)):
            form[XSRF_COOKIE] = found[XSRF_HEADER]
        done = await exchange("POST", PATH, form)
        if done.status in (200, 401):
            # Jupyter shows its form again with 401, older ones and other login pages with 200.
            raise WrongCredentials(f"{peer.shown} refuses the password: check it.")
        if not 300 <= done.status < 400:
            raise refusal(done, peer)
