"""The client for scripts that are not asynchronous: the same names, and calls that wait.

    from kernelway.client.sync import Gateway

    with Gateway("http://host:8888", token="…") as gateway:
        session = gateway.open_session("analysis.py", kernel="python3")
        for output in session.kernel.execute("1 + 1"):
            print(output)

Everything is done by the asynchronous client, on an event loop in a thread that the gateway's block owns;
arguments, results and errors are that client's. What interrupts a wait, such as Ctrl-C, cancels what was
waited for, and nothing in the kernel. Comms are for the asynchronous client alone.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Concatenate, Final, Generic, ParamSpec, Self, TypeVar, Unpack

from kernelway.client import execution, gateway, kernel, session
from kernelway.client.link_status import LinkEvent
from kernelway.client.log import LogEntry
from kernelway.client.options import GatewayOptions
from kernelway.protocol.execution import ExecuteReply, InputRequest, Output
from kernelway.protocol.link_framing import Position
from kernelway.protocol.message import MessageId
from kernelway.protocol.models import KernelId

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
Inner = TypeVar("Inner")

_TURNS: Final = 30.0
"""Seconds for the loop's thread to begin or to end."""


class LoopThread:
    """An event loop in a thread of its own, from ``start`` to ``stop``."""

    def __init__(self) -> None:
        self._began = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="kernelway client")
        self._thread.daemon = True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    @property
    def running(self) -> bool:
        """Whether the loop takes work."""
        return self._thread.is_alive() and not self._stop.is_set()

    def start(self) -> None:
        """Begin; returns when the loop runs."""
        self._thread.start()
        self._began.wait(_TURNS)

    def stop(self) -> None:
        """End the loop, what still runs on it, and its thread."""
        if self._loop is not None and self.running:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_TURNS)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine; a wait that is interrupted cancels it."""
        if self._loop is None or not self.running:
            work.close()
            raise RuntimeError("A synchronous client is used inside its gateway's `with` block only.")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._began.set()
        await self._stop.wait()


class Facade(Generic[Inner]):
    """An object of the asynchronous client, whose methods wait."""

    def __init__(self, inner: Inner, thread: LoopThread) -> None:
        self._inner = inner
        self._thread = thread


def waiting(
    method: Callable[Concatenate[Inner, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Facade[Inner], P], T]:
    """The same method, which waits for the result."""

    def call(self: Facade[Inner], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._thread.run(method(self._inner, *args, **kwargs))

    call.__doc__ = method.__doc__
    return call


def waiting_as(
    facade: Callable[[T, LoopThread], U], method: Callable[Concatenate[Inner, P], Coroutine[Any, Any, T]]
) -> Callable[Concatenate[Facade[Inner], P], U]:
    """The same method, which waits for the result and gives the facade of it."""
    wait = waiting(method)

    def call(self: Facade[Inner], /, *args: P.args, **kwargs: P.kwargs) -> U:
        return facade(wait(self, *args, **kwargs), self._thread)

    call.__doc__ = method.__doc__
    return call


def at_once_as(
    facade: Callable[[T, LoopThread], U], method: Callable[Concatenate[Inner, P], T]
) -> Callable[Concatenate[Facade[Inner], P], U]:
    """The same method, which does not wait, and gives the facade of the result."""

    async def on_the_loop(inner: Inner, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return method(inner, *args, **kwargs)

    on_the_loop.__doc__ = method.__doc__
    return waiting_as(facade, on_the_loop)


def iterate(items: AsyncIterable[T], thread: LoopThread) -> Iterator[T]:
    """The items of an asynchronous iterable; leaving this iteration leaves that one."""
    iterator = aiter(items)

    async def step() -> list[T]:
        async for item in iterator:
            return [item]
        return []

    while got := thread.run(step()):
        yield got[0]


class Execution(Facade[execution.Execution]):
    """The outputs of some code, to iterate over, and its reply."""

    def __iter__(self) -> Iterator[Output]:
        try:
            yield from iterate(self._inner, self._thread)
        finally:
            self.close()

    @property
    def reply(self) -> ExecuteReply:
        """How the code ended, once it has."""

        async def reply() -> ExecuteReply:
            return await self._inner.reply

        return self._thread.run(reply())

    def answer(self, request: InputRequest, text: str) -> None:
        """Give the code the line of text that it waits for."""
        self._thread.run(self._inner.answer(request, text))

    def close(self) -> None:
        """Stop listening; the kernel goes on."""

        async def close() -> None:
            self._inner.close()

        if self._thread.running:
            self._thread.run(close())


class Kernel(Facade[kernel.Kernel]):
    """A running kernel and one connection to it."""

    execute = at_once_as(Execution, kernel.Kernel.execute)
    messages = at_once_as(iterate, kernel.Kernel.messages)
    complete = waiting(kernel.Kernel.complete)
    inspect = waiting(kernel.Kernel.inspect)
    is_complete = waiting(kernel.Kernel.is_complete)
    history = waiting(kernel.Kernel.history)
    kernel_info = waiting(kernel.Kernel.kernel_info)
    comm_info = waiting(kernel.Kernel.comm_info)
    interrupt = waiting(kernel.Kernel.interrupt)
    restart = waiting(kernel.Kernel.restart)
    shutdown = waiting(kernel.Kernel.shutdown)
    close = waiting(kernel.Kernel.close)
    model = waiting(kernel.Kernel.model)
    delivered = waiting(kernel.Kernel.delivered)
    link_events = at_once_as(iterate, kernel.Kernel.link_events)

    @property
    def link(self) -> LinkEvent:
        """Whether the kernel can be reached now, and since when."""
        return self._inner.link

    @property
    def id(self) -> str:
        """The kernel's id."""
        return self._inner.id


class Session(Facade[session.Session]):
    """A path joined to a kernel, and the connection to that kernel."""

    shutdown = waiting(session.Session.shutdown)
    close = waiting(session.Session.close)

    @property
    def kernel(self) -> Kernel:
        """The session's kernel."""
        return Kernel(self._inner.kernel, self._thread)

    @property
    def id(self) -> str | None:
        """As in the asynchronous client."""
        return self._inner.id

    @property
    def path(self) -> str:
        """As in the asynchronous client."""
        return self._inner.path

    @property
    def name(self) -> str:
        """As in the asynchronous client."""
        return self._inner.name


class Gateway(Facade[gateway.Gateway]):
    """One gateway; it is used inside ``with``, once."""

    check = waiting(gateway.Gateway.check)
    status = waiting(gateway.Gateway.status)
    kernelspecs = waiting(gateway.Gateway.kernelspecs)
    kernels = waiting(gateway.Gateway.kernels)
    sessions = waiting(gateway.Gateway.sessions)
    ended = waiting(gateway.Gateway.ended)
    start_kernel = waiting_as(Kernel, gateway.Gateway.start_kernel)
    connect = waiting_as(Kernel, gateway.Gateway.connect)
    open_session = waiting_as(Session, gateway.Gateway.open_session)
    find_session = waiting_as(Session, gateway.Gateway.find_session)

    def log(
        self,
        kernel_id: KernelId | str,
        *,
        after: MessageId | None = None,
        position: Position | None = None,
        follow: bool = False,
    ) -> Iterator[LogEntry]:
        """As in the asynchronous client, and iterated at once; leaving the iteration closes it."""
        log = self._inner.log(kernel_id, after=after, position=position, follow=follow)
        self._thread.run(log.__aenter__())
        try:
            yield from iterate(log, self._thread)
        finally:
            if self._thread.running:
                self._thread.run(log.__aexit__(None, None, None))

    def __init__(self, url: str, *, token: str | None = None, **options: Unpack[gateway.MoreOptions]) -> None:
        super().__init__(gateway.Gateway(url, token=token, **options), LoopThread())

    @classmethod
    def from_options(cls, options: GatewayOptions) -> Self:
        """The gateway of options that exist already."""
        return cls(options.base_url, token=options.token, **gateway.more_options(options))

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._thread.run(self._inner.__aenter__())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._thread.run(self._inner.__aexit__(kind, error, trace))
        finally:
            self._thread.stop()
