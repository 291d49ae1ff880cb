"""What the gateway asks of a host, and all that it may."""

from __future__ import annotations

from typing import Protocol

from kernelway.protocol.channels import Channels, Joining
from kernelway.protocol.models import (
    EndedKernel,
    KernelId,
    KernelModel,
    KernelSpecModel,
    KernelSpecs,
    OpenSession,
    RestSessionId,
    SessionModel,
    StartKernel,
    Status,
    UpdateSession,
)


class Host(Protocol):
    """Kernels and sessions somewhere: in this process, on this machine or far away.

    Every method may raise the errors of :mod:`kernelway.protocol.errors`; NotFound for an id or name that
    is not there is not repeated below.
    """

    async def status(self) -> Status:
        """Counts and times over all kernels."""

    async def kernelspecs(self) -> KernelSpecs:
        """All kernelspecs; resource URLs are paths that begin with ``/kernelspecs/``."""

    async def kernelspec(self, name: str) -> KernelSpecModel:
        """One kernelspec."""

    async def kernelspec_resource(self, name: str, file: str) -> bytes:
        """The content of one file among a kernelspec's resources."""

    async def kernels(self) -> list[KernelModel]:
        """All kernels."""

    async def kernel(self, kernel_id: KernelId) -> KernelModel:
        """One kernel."""

    async def start_kernel(self, request: StartKernel) -> KernelModel:
        """Start a kernel; answers when it is ready, or still starting after some seconds."""

    async def interrupt_kernel(self, kernel_id: KernelId) -> None:
        """Interrupt what the kernel runs."""

    async def restart_kernel(self, kernel_id: KernelId) -> KernelModel:
        """Restart the kernel; answers when it is ready."""

    async def shutdown_kernel(self, kernel_id: KernelId) -> None:
        """End the kernel for good."""

    async def ended_kernels(self) -> list[EndedKernel]:
        """The kernels that have ended and whose journals are kept, the latest first."""

    async def connect(self, kernel_id: KernelId, joining: Joining) -> Channels:
        """Connect one client to a kernel's channels, or to the journal of one that has ended.

        PositionGone where it asks for what is no longer kept.
        """

    async def sessions(self) -> list[SessionModel]:
        """All sessions."""

    async def session(self, session_id: RestSessionId) -> SessionModel:
        """One session."""

    async def open_session(self, request: OpenSession) -> SessionModel:
        """The session of the request's path and type, or a new one."""

    async def update_session(self, session_id: RestSessionId, request: UpdateSession) -> SessionModel:
        """Rename a session, or give it another kernel."""

    async def close_session(self, session_id: RestSessionId) -> None:
        """End the session and its kernel."""
