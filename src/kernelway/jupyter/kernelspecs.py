"""The kernelspecs of a notebook server: those of this machine, and those of all gateways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_events import EventLogger
from traitlets import TraitError

from kernelway.jupyter.assembly import Assembly, assemble
from kernelway.jupyter.notices import Notice, PlaceState
from kernelway.jupyter.notifying import emitter
from kernelway.jupyter.remote_kernels import Model
from kernelway.jupyter.upstream import KernelSpec, KernelSpecManager, NoSuchKernel
from kernelway.settings import environment


class KernelwayKernelSpecManager(KernelSpecManager):
    """Adds remote kernelspecs, as models of the REST API, to those that jupyter_client finds.

    jupyter_server makes it before its other managers, so what they need of ours is put together here.
    """

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.assembly: Assembly = assembled_for(self.parent)

    async def get_all_specs(self) -> dict[str, Model]:
        """All kernelspecs; it waits for less than a second for those of gateways."""
        await self.assembly.kernels.refresh()
        remote = self.assembly.kernelspecs.all(self.assembly.base_url)
        if self.assembly.only_remote:
            return remote
        local = super().get_all_specs()
        assert isinstance(local, dict)
        return local | {name: model for name, model in remote.items() if self.is_remote(name)}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec | Model:
        """A local kernelspec, or the model of a remote one as it was last known."""
        if not self.is_remote(kernel_name):
            return super().get_kernel_spec(kernel_name)
        model = self.assembly.kernelspecs.get(kernel_name, self.assembly.base_url)
        if model is None:
            raise NoSuchKernel(kernel_name)
        return model

    def is_remote(self, kernel_name: str) -> bool:
        """Whether a name means a kernelspec at a gateway."""
        return is_remote(kernel_name, self, self.assembly)


def is_remote(kernel_name: str, local: KernelSpecManager, assembly: Assembly) -> bool:
    """Whether a name means a kernelspec at a gateway; a local one of the same name comes first.

    But where the local one is only the way to the gateway for other programs, the gateway's own is meant.
    """
    if assembly.kernelspecs.meant(kernel_name) is None:
        return False
    folder = local.find_kernel_specs().get(kernel_name.lower())
    return folder is None or assembly.only_remote or _is_bridge(local, folder)


def _is_bridge(local: KernelSpecManager, folder: str) -> bool:
    """Whether ``kernelway kernelspec install`` made it."""
    try:
        ours = local.kernel_spec_class.from_resource_dir(folder).metadata.get("kernelway")
    except (OSError, ValueError, TraitError):
        # What cannot be read starts nothing.
        return False
    return isinstance(ours, dict) and "kernel" in ours


def assembled_for(server: Any) -> Assembly:  # noqa: ANN401 - It is jupyter_server's ServerApp.
    """What is remote, as a server's configuration and this process's environment have it."""
    return assemble(
        root=Path(server.root_dir),
        base_url=server.base_url,
        gateway_client=server.config.get("GatewayClient", {}),
        environ=environment(),
        changed=_teller(server.event_logger),
    )


def _teller(event_logger: EventLogger | None) -> Callable[[str], None]:
    """What lets a server's pages know that a place offers other kernelspecs than it did."""
    if event_logger is None:
        return lambda _: None
    emit = emitter(event_logger)
    return lambda place: emit(Notice(place, PlaceState.CHANGED))
