"""The classes of jupyter_server that ours are made from, with the types that it does not give them.

What is declared here is all that ours use of them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec, NoSuchKernel

__all__ = [
    "KERNELSPEC_NAME",
    "NATIVE_KERNEL_NAME",
    "KernelManager",
    "KernelSpec",
    "KernelSpecManager",
    "NoSuchKernel",
    "ResourceHandler",
    "SessionManager",
    "restricted",
]

Method = TypeVar("Method", bound=Callable[..., Awaitable[None]])

if TYPE_CHECKING:
    from tornado.web import RequestHandler
    from traitlets.config import LoggingConfigurable

    from kernelway.jupyter.remote_kernels import Model

    class KernelSpecManager(LoggingConfigurable):
        """The kernelspecs of this machine."""

        parent: Any
        kernel_spec_class: type[KernelSpec]

        def find_kernel_specs(self) -> dict[str, str]:
            """The folders of all kernelspecs by their names."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec | Model:
            """One kernelspec; :class:`NoSuchKernel` where there is none."""

        def get_all_specs(self) -> dict[str, Model] | Coroutine[None, None, dict[str, Model]]:
            """All kernelspecs; a dictionary, or what is awaited for one."""

    class KernelManager(LoggingConfigurable):
        """The kernels of this machine."""

        parent: Any
        log: logging.Logger
        kernel_spec_manager: Any

        def __contains__(self, kernel_id: str) -> bool: ...

        def get_kernel(self, kernel_id: str) -> LoggingConfigurable:
            """One kernel's own manager; an HTTP error where there is none."""

        def cwd_for_path(self, path: str, **kwargs: object) -> str:
            """A folder that is there, for a path below the root."""

        def list_kernels(self) -> list[Model] | Coroutine[None, None, list[Model]]:
            """The models of all kernels; a list, or what is awaited for one."""

        def kernel_model(self, kernel_id: str) -> Model | Coroutine[None, None, Model]:
            """The model of one kernel; a dictionary, or what is awaited for one."""

        def update_env(self, *, kernel_id: str, env: dict[str, str]) -> None:
            """Tell a kernel's manager another environment for its next start."""

        def interrupt_kernel(self, kernel_id: str) -> Awaitable[None] | None:
            """Interrupt a kernel; what is returned may have to be awaited."""

        async def start_kernel(
            self,
            *,
            kernel_name: str | None = None,
            path: str | None = None,
            env: Mapping[str, str] | None = None,
            **more: Any,  # noqa: ANN401
        ) -> str:
            """Start a kernel; its id."""

        async def shutdown_kernel(self, kernel_id: str, now: bool = False, restart: bool = False) -> object:  # noqa: FBT001, FBT002
            """End a kernel."""

        async def restart_kernel(self, kernel_id: str, now: bool = False) -> object:  # noqa: FBT001, FBT002
            """Start a kernel anew; the result is a future of its first reply."""

        async def shutdown_all(self, now: bool = False) -> None:  # noqa: FBT001, FBT002
            """End all kernels."""

    class SessionManager(LoggingConfigurable):
        """The sessions of kernels of this machine, in a table of SQLite."""

        parent: Any
        log: logging.Logger
        kernel_manager: Any
        contents_manager: Any
        cursor: Any

        async def session_exists(self, path: str) -> bool:
            """Whether a path has a session."""

        async def create_session(
            self,
            path: str | None = None,
            name: str | None = None,
            type: str | None = None,  # noqa: A002
            kernel_name: str | None = None,
            kernel_id: str | None = None,
        ) -> Model:
            """Start a kernel, or take one that runs, and make a session of it."""

        def get_kernel_env(self, path: str | None, name: str | None = None) -> dict[str, str]:
            """The environment of a new kernel."""

        async def start_kernel_for_session(self, session_id: str, **kwargs: str | None) -> str:
            """Start a kernel in the folder of a session's path; its id."""

        async def save_session(self, session_id: str, **kwargs: object) -> Model:
            """Write a session down."""

        async def get_session(self, **kwargs: str) -> Model:
            """The session with these values; an HTTP error where there is none."""

        async def update_session(self, session_id: str, **kwargs: str) -> None:
            """Change a session's values."""

        def kernel_culled(self, kernel_id: str) -> bool | Awaitable[bool]:
            """Whether a kernel is gone."""

        async def list_sessions(self) -> list[Model]:
            """The models of all sessions."""

        async def delete_session(self, session_id: str) -> None:
            """End a session and its kernel."""

    class ResourceHandler(RequestHandler):
        """Answers with the files of kernelspecs."""

        kernel_spec_manager: object

        async def get(self, kernel_name: str, path: str, include_body: bool = True) -> None:  # noqa: FBT001, FBT002
            """Answer with one, or with its headers alone."""

    KERNELSPEC_NAME: str

    def restricted(method: Method) -> Method:
        """Let only those in who are known, and may."""

else:
    from jupyter_server.auth.decorator import authorized
    from jupyter_server.kernelspecs.handlers import KernelSpecResourceHandler as ResourceHandler
    from jupyter_server.services.kernelspecs import handlers
    from tornado import web

    KERNELSPEC_NAME = handlers.kernel_name_regex

    def restricted(method: Method) -> Method:
        """Let only those in who are known, and may."""
        return web.authenticated(authorized(method))

    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager as KernelManager
    from jupyter_server.services.sessions.sessionmanager import SessionManager
