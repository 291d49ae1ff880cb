"""Where code runs: a private gateway, the one of this machine, or a saved one; and on which kernelspec."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass

from kernelway.cli.progress import Progress
from kernelway.client import Gateway, GatewayOptions, local_gateway
from kernelway.client.local import local_place
from kernelway.client.names import find_remote, gateway_label, remote_name
from kernelway.client.options import UNIX_PREFIX
from kernelway.client.saved import GatewaysFile
from kernelway.protocol.errors import NotFound
from kernelway.protocol.models import KernelSpecModel, KernelSpecs
from kernelway.settings import ServeSettings
from kernelway.source import language_named

LOCAL = "local"
"""The name of the one gateway per user and machine, which nobody has to add."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A gateway that is connected to."""

    name: str | None
    """What people call it; None for the private one of this command."""
    gateway: Gateway
    is_here: bool
    """Whether its kernels certainly have this machine's files."""

    @property
    def is_private(self) -> bool:
        """Whether it ends with this command, and its kernels with it."""
        return self.name is None

    @property
    def where(self) -> str:
        """As in "there is no such kernelspec here"."""
        return "here" if self.is_here else f"on {self.name}"


class SavedPlaces:
    """The gateways that can be named: the saved ones, and ``local``."""

    def __init__(self, environ: Mapping[str, str], *, file: GatewaysFile | None = None) -> None:
        self._environ = environ
        self._file = file or GatewaysFile()
        saved = self._file.read()
        self.names = tuple(gateway.name for gateway in saved.gateways)
        self.warning = saved.warning

    def options(self, name: str) -> GatewayOptions:
        """How to reach a saved gateway; :class:`NotFound` says what name may have been meant."""
        if name not in self.names:
            known = [*self.names, LOCAL]
            add = "`kernelway gateways add NAME URL` adds one."
            raise NotFound(
                f"There is no gateway {name!r}.{_meant(name, known)} There are: {', '.join(known)}. {add}"
            )
        return self._file.options(name, environ=self._environ)

    def running_local(self) -> GatewayOptions | None:
        """How to reach the gateway of this machine where it may run; nothing is started."""
        socket = local_place(self._environ).socket
        return GatewayOptions(base_url=f"{UNIX_PREFIX}{socket}") if socket.exists() else None

    def named(self, kernelspec: str) -> tuple[str, str] | None:
        """The kernelspec and the gateway in a single name such as ``python3.gpu``."""
        found = find_remote(kernelspec, [*self.names, LOCAL])
        return None if found is None else (found.kernelspec, found.gateway)

    @contextlib.asynccontextmanager
    async def open(self, name: str | None) -> AsyncIterator[Place]:
        """Connect to a gateway: the private one of this command without a name."""
        if name is None:
            from kernelway.gateway.service import embedded

            async with (
                embedded(ServeSettings(), environ=self._environ) as service,
                Gateway(service.url) as gateway,
            ):
                yield Place(name=None, gateway=gateway, is_here=True)
            return
        is_local = name == LOCAL and LOCAL not in self.names
        async with contextlib.AsyncExitStack() as resources:
            with Progress.on_stderr(f"Connecting to {name}", self._environ):
                options = await local_gateway(self._environ) if is_local else self.options(name)
                gateway = await resources.enter_async_context(Gateway.from_options(options))
            yield Place(name=name, gateway=gateway, is_here=is_local)


def kernelspec_for(specs: KernelSpecs, *, kernel: str | None, language: str | None, where: str) -> str:
    """The kernelspec to start: the one that was named, else the default one, or the first, of the language.

    :class:`NotFound` lists those there are.
    """
    if kernel is not None:
        if kernel in specs.kernelspecs:
            return kernel
        meant = _meant(kernel, specs.kernelspecs)
        raise NotFound(f"There is no kernelspec {kernel!r} {where}.{meant} {_those_there_are(specs)}")
    if language is None:
        return specs.default
    of_language = [
        name for name, model in specs.kernelspecs.items() if language_named(model.spec.language) == language
    ]
    if not of_language:
        raise NotFound(
            f"No kernelspec {where} is for {language}; --kernel names one to use all the same. "
            f"{_those_there_are(specs)}"
        )
    return specs.default if specs.default in of_language else of_language[0]


def language_of_kernel(specs: KernelSpecs, kernel: str) -> str | None:
    """The language of a kernelspec, where it says one."""
    model = specs.kernelspecs.get(kernel)
    return language_named(model.spec.language) if model is not None and model.spec.language else None


def languages(specs: KernelSpecs) -> list[str]:
    """The languages that there are kernelspecs for."""
    return [language_named(model.spec.language) for model in specs.kernelspecs.values()]


def is_bridge(name: str, model: KernelSpecModel, known: Iterable[str]) -> bool:
    """Whether a kernelspec of this machine only stands for that of the same single name on a known gateway.

    :mod:`kernelway.bridge.kernelspecs` makes them, for clients that know no gateways; we go there ourselves.
    """
    match model.spec.metadata.get("kernelway"):
        case {"place": str(place), "kernel": str(kernel)}:
            return place in known and name == remote_name(kernel, place)
    return False


def without_gateway(kernel: str, gateway: str, known: Iterable[str]) -> str:
    """A kernelspec's own name, where it was given with the gateway's label behind it."""
    kernelspec, dot, label = kernel.rpartition(".")
    is_labelled = bool(dot) and label.lower() == gateway_label(gateway) and kernel not in known
    return kernelspec if is_labelled else kernel


def _meant(name: str, known: Iterable[str]) -> str:
    """A question for the name that is nearest to a wrong one, if any is near."""
    import difflib

    folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f" Did you mean {folded[near[0]]!r}?" if near else ""


def _those_there_are(specs: KernelSpecs) -> str:
    named = (f"{name} ({model.spec.language or 'no language'})" for name, model in specs.kernelspecs.items())
    return f"There are: {', '.join(named) or 'none'}."
