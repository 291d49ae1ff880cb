"""Jupyter's REST API of one gateway: what runs there, and changes to it, without connections to kernels."""

from __future__ import annotations

from types import NoneType
from typing import TypeVar

from kernelway.client.http import HttpClient
from kernelway.client.stock_models import KernelAnswer, SessionAnswer, sparse
from kernelway.protocol.errors import Forbidden, KernelStartFailed, WrongCredentials
from kernelway.protocol.models import (
    KernelId,
    KernelModel,
    KernelSpecs,
    OpenSession,
    RestSessionId,
    SessionModel,
    StartKernel,
    Status,
    UpdateSession,
)

T = TypeVar("T")


class RestApi:
    """One method for each request; what stock servers answer otherwise is read into our models.

    Every method can raise the errors of the way, such as :class:`Unreachable`, and :class:`NotFound` for an
    id that the server does not have. Cancelling gives a request up, and does not undo it.
    """

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def status(self) -> Status:
        """How much the server has to do; :class:`NotFound` from a kernel_gateway, which does not tell."""
        return await self._http.call("GET", "api/status", answer=Status)

    async def kernelspecs(self) -> KernelSpecs:
        """What kernels can be started."""
        return await self._http.call("GET", "api/kernelspecs", answer=KernelSpecs)

    async def resource(self, path: str) -> bytes:
        """A file of a kernelspec, such as its logo; ``path`` is relative to the server's base URL."""
        return await self._http.fetch(path)

    async def kernels(self) -> list[KernelModel]:
        """The running kernels; :class:`Forbidden` where the server does not list them."""
        answers = await self._list("api/kernels", list[KernelAnswer])
        return [answer.model() for answer in answers]

    async def kernel(self, kernel_id: KernelId | str) -> KernelModel:
        """One running kernel."""
        answer = await self._http.call("GET", f"api/kernels/{kernel_id}", answer=KernelAnswer)
        return answer.model()

    async def start_kernel(self, request: StartKernel) -> KernelModel:
        """Start a kernel."""
        answer = await self._http.call("POST", "api/kernels", answer=KernelAnswer, body=sparse(request))
        return answer.model()

    async def interrupt_kernel(self, kernel_id: KernelId | str) -> None:
        """Interrupt the code that a kernel runs."""
        await self._http.call("POST", f"api/kernels/{kernel_id}/interrupt", answer=NoneType)

    async def restart_kernel(self, kernel_id: KernelId | str) -> KernelModel:
        """Start a kernel anew, with nothing in it."""
        answer = await self._http.call("POST", f"api/kernels/{kernel_id}/restart", answer=KernelAnswer)
        return answer.model()

    async def shutdown_kernel(self, kernel_id: KernelId | str) -> None:
        """End a kernel, and the sessions that have it."""
        await self._http.call("DELETE", f"api/kernels/{kernel_id}", answer=NoneType)

    async def sessions(self) -> list[SessionModel]:
        """The sessions that have a kernel; :class:`Forbidden` where the server does not list them."""
        answers = await self._list("api/sessions", list[SessionAnswer])
        models = (answer.model() for answer in answers)
        return [model for model in models if model is not None]

    async def open_session(self, request: OpenSession) -> SessionModel:
        """The session of a path, which is made where there is none."""
        answer = await self._http.call("POST", "api/sessions", answer=SessionAnswer, body=sparse(request))
        made = answer.model()
        if made is None:
            raise KernelStartFailed(f"The server made the session {request.path}, but no kernel for it.")
        return made

    async def update_session(self, session_id: RestSessionId | str, request: UpdateSession) -> SessionModel:
        """Change what the request names; a kernel that no session has any more ends."""
        answer = await self._http.call(
            "PATCH", f"api/sessions/{session_id}", answer=SessionAnswer, body=sparse(request)
        )
        changed = answer.model()
        if changed is None:
            raise KernelStartFailed(f"The server changed the session {session_id}, but it has no kernel now.")
        return changed

    async def close_session(self, session_id: RestSessionId | str) -> None:
        """End a session and its kernel."""
        await self._http.call("DELETE", f"api/sessions/{session_id}", answer=NoneType)

    async def _list(self, path: str, answer: type[T]) -> T:
        try:
            return await self._http.call("GET", path, answer=answer)
        except WrongCredentials:
            # kernel_gateway refuses its lists with the words for a wrong token, unless it is told otherwise.
            await self.kernelspecs()
        raise Forbidden(
            f"{self._http.peer.shown} takes the credentials, but does not list what runs there ({path}): a "
            "kernel_gateway does with --JupyterWebsocketPersonality.list_kernels=True."
        )
