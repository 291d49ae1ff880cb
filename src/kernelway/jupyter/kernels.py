"""The kernels of a notebook server: its own, and those at gateways."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Mapping
from typing import Any

from traitlets import HasTraits, Instance, Unicode
from traitlets.config import LoggingConfigurable

from kernelway.jupyter.assembly import Assembly
from kernelway.jupyter.http_errors import Refused, told
from kernelway.jupyter.kernelspecs import KernelwayKernelSpecManager, assembled_for, is_remote
from kernelway.jupyter.place import Place
from kernelway.jupyter.remote_kernels import Model, environ_at
from kernelway.jupyter.upstream import NATIVE_KERNEL_NAME, KernelManager, NoSuchKernel
from kernelway.protocol.models import KernelId, StartKernel


class RemoteKernel(LoggingConfigurable):
    """One kernel at a gateway, where a local one has its own manager: what its WebSockets need of it."""

    kernel_id = Unicode()
    kernel_name = Unicode()
    place = Instance(Place)


class DefaultKernelspec(Unicode[str, str]):
    """The kernelspec for who names none: as configured, but where local ones are hidden the first place's."""

    def get(self, obj: HasTraits, cls: type[Any] | None = None) -> str | None:
        """The name, which is another one as soon as a place has answered."""
        configured = super().get(obj, cls)
        if configured is None or not isinstance(obj, KernelwayKernelManager) or "assembly" not in vars(obj):
            return configured
        return obj.shown_default(configured)


class KernelwayKernelManager(KernelManager):
    """Does with local kernels what its base class does, and has the rest done at their gateways.

    Remote kernels are in none of the base class's tables: what goes through those, such as ``shutdown_all``
    and culling, concerns local kernels alone.
    """

    default_kernel_name = DefaultKernelspec(NATIVE_KERNEL_NAME).tag(config=True)

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        kernelspecs = self.kernel_spec_manager
        ours = isinstance(kernelspecs, KernelwayKernelSpecManager)
        self.assembly: Assembly = kernelspecs.assembly if ours else assembled_for(self.parent)

    def __contains__(self, kernel_id: str) -> bool:
        return self.is_local(kernel_id) or self.assembly.places.place_of(kernel_id) is not None

    def is_local(self, kernel_id: str) -> bool:
        """Whether a kernel is in the base class's tables."""
        return super().__contains__(kernel_id)

    def get_kernel(self, kernel_id: str) -> LoggingConfigurable:
        """A local kernel's manager, or a :class:`RemoteKernel`.

        503 where a gateway that never answered may have it, since browsers try again then, and 404 otherwise.
        """
        if self.is_local(kernel_id):
            return super().get_kernel(kernel_id)
        kernels = self.assembly.kernels
        place = self.assembly.places.place_of(kernel_id)
        if place is None:
            raise Refused(kernels.absence(kernel_id))
        name = kernels.shown(place, place.kernels[KernelId(kernel_id)])["name"]
        return RemoteKernel(parent=self, log=self.log, kernel_id=kernel_id, kernel_name=name, place=place)

    async def list_kernels(self) -> list[Model]:
        """All kernels; it waits for less than a second for those at gateways."""
        await self.assembly.kernels.refresh()
        local = super().list_kernels()
        assert isinstance(local, list)
        return [*local, *self.assembly.kernels.all()]

    def kernel_model(self, kernel_id: str) -> Model | Coroutine[None, None, Model]:
        """One kernel; what is awaited where it is a remote one."""
        if self.is_local(kernel_id):
            return super().kernel_model(kernel_id)
        return self._remote_model(kernel_id)

    async def _remote_model(self, kernel_id: str) -> Model:
        with told():
            return await self.assembly.kernels.model(kernel_id)

    async def start_kernel(
        self,
        *,
        kernel_name: str | None = None,
        path: str | None = None,
        env: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401
    ) -> str:
        """Start a kernel where its kernelspec is; its id, which at a gateway is the gateway's choice.

        A remote one is given those names and settings of ``env`` that mean something elsewhere, and works in
        this machine's folder only where it certainly has its files.
        """
        remote = await self.meant(kernel_name)
        if remote is None:
            if env is not None:
                more["env"] = env
            return await super().start_kernel(kernel_name=kernel_name, path=path, **more)
        place, kernelspec = remote
        request = StartKernel(
            name=kernelspec, path=self.folder_at(place, path), env=environ_at(place, env or {})
        )
        with told():
            return await self.assembly.kernels.start(place, request)

    async def meant(self, kernel_name: str | None) -> tuple[Place, str | None] | None:
        """The place of a kernelspec and its name there (None for the default one); None for a local one.

        :class:`NoSuchKernel` for a local one where those are hidden.
        """
        await self.assembly.kernels.settled()
        name = kernel_name or self.default_kernel_name
        if self._is_remote(name):
            return self.assembly.kernelspecs.meant(name)
        if self.assembly.only_remote:
            raise NoSuchKernel(name)
        return None

    def shown_default(self, configured: str) -> str:
        """The default kernelspec, given the configured one."""
        if not self.assembly.only_remote or self._is_remote(configured):
            return configured
        return self.assembly.kernelspecs.default() or configured

    def folder_at(self, place: Place, path: str | None) -> str | None:
        """The working folder of a kernel at a place, for a path below this server's root."""
        return self.cwd_for_path(path) if place.is_here and path is not None else None

    def update_env(self, *, kernel_id: str, env: dict[str, str]) -> None:
        """Tell a local kernel's manager another environment for its next start."""
        if self.is_local(kernel_id):
            super().update_env(kernel_id=kernel_id, env=env)

    def interrupt_kernel(self, kernel_id: str) -> Awaitable[None] | None:
        """Interrupt a kernel."""
        return super().interrupt_kernel(kernel_id) if self.is_local(kernel_id) else self._interrupt(kernel_id)

    async def _interrupt(self, kernel_id: str) -> None:
        with told():
            await self.assembly.kernels.interrupt(kernel_id)

    async def restart_kernel(self, kernel_id: str, now: bool = False) -> object:  # noqa: FBT001, FBT002
        """Start a kernel anew."""
        if self.is_local(kernel_id):
            return await super().restart_kernel(kernel_id, now=now)
        try:
            with told():
                await self.assembly.kernels.restart(kernel_id)
        except Refused as error:
            # jupyter_server's answer does not say why.
            self.log.warning("The kernel %s is not restarted: %s", kernel_id, error)
            raise
        return None

    async def shutdown_kernel(self, kernel_id: str, now: bool = False, restart: bool = False) -> object:  # noqa: FBT001, FBT002
        """End a kernel; of several that others started and whose end is asked for at once, none ends."""
        if self.is_local(kernel_id):
            return await super().shutdown_kernel(kernel_id, now=now, restart=restart)
        with told():
            await self.assembly.kernels.shut_down(kernel_id)
        return None

    def _is_remote(self, kernel_name: str) -> bool:
        return is_remote(kernel_name, self.kernel_spec_manager, self.assembly)
