"""The bare side: pyzmq's synchronous sockets, json and a signature, and nothing else.

Headers and parent headers of everything that arrives are decoded, as a gateway's client decodes them.
Signatures of arriving messages are not checked and nothing is copied beyond what pyzmq does, so this is a
floor and not a fair client.
"""

from __future__ import annotations

import hmac
import json
import subprocess
import time
import uuid
from pathlib import Path

import zmq
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from benchmarks.exchange import DEADLINE, Arrived, Exchange, Kernel, Listeners, Request, Shortfall
from benchmarks.processes import Processes
from benchmarks.workspace import PYTHON, Workspace
from kernelway.protocol.message import Channel

_DELIMITER = b"<IDS|MSG>"


class BareKernel:
    """A kernel over ipc, as Kernelway runs ipykernel, with a socket of ours on shell and on iopub."""

    def __init__(self, manager: AsyncKernelManager, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._manager = manager
        self._context = context
        self.running = True
        self._session = uuid.uuid4().hex
        self._key: bytes = manager.session.key
        self._shell = self._connect(zmq.DEALER, manager.shell_port)
        self._iopub = self._subscribed()
        self._poller = zmq.Poller()
        self._poller.register(self._shell, zmq.POLLIN)
        self._poller.register(self._iopub, zmq.POLLIN)

    async def exchange(self, request: Request, *, deadline: float = DEADLINE) -> Exchange:
        """Blocks the event loop on purpose: nothing else of ours has to run, and it costs nothing."""
        exchange = Exchange(request)
        began = time.perf_counter()
        self._send(exchange)
        while not exchange.complete:
            left = began + deadline - time.perf_counter()
            ready = self._poller.poll(int(left * 1000)) if left > 0 else []
            if not ready:
                raise Shortfall(f"no answer within {deadline:g} s")
            for socket, _ in ready:
                self._receive(socket, exchange)
        exchange.seconds = time.perf_counter() - began
        return exchange

    @property
    def pid(self) -> int:
        """The kernel's process."""
        pid = getattr(self._manager.provisioner, "pid", None)
        assert isinstance(pid, int)
        return pid

    async def listen(self, count: int) -> Listeners:
        """So many more subscriptions."""
        return BareListeners([self._subscribed() for _ in range(count)])

    async def shutdown(self) -> None:
        """End the kernel as jupyter_client does."""
        self._shell.close(linger=0)
        self._iopub.close(linger=0)
        self.running = False
        await self._manager.shutdown_kernel()

    def _subscribed(self) -> zmq.Socket[bytes]:
        socket = self._connect(zmq.SUB, self._manager.iopub_port)
        socket.subscribe(b"")
        return socket

    def _connect(self, kind: zmq.SocketType, port: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        # The kernel is not bound yet. The default of 100 ms between attempts would count as starting time.
        socket.setsockopt(zmq.RECONNECT_IVL, 5)
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.connect(f"ipc://{self._manager.ip}-{port}")
        return socket

    def _send(self, exchange: Exchange) -> None:
        header = {
            "msg_id": exchange.msg_id,
            "msg_type": exchange.request.msg_type,
            "session": self._session,
            "username": "benchmark",
            "date": "2026-01-01T00:00:00Z",
            "version": "5.4",
        }
        parts = [json.dumps(header).encode(), b"{}", b"{}", json.dumps(exchange.request.content).encode()]
        mac = hmac.new(self._key, digestmod="sha256")
        for part in parts:
            mac.update(part)
        signature = mac.hexdigest().encode()
        self._shell.send_multipart([_DELIMITER, signature, *parts, *exchange.request.buffers])

    def _receive(self, socket: zmq.Socket[bytes], exchange: Exchange) -> None:
        """Take all that one socket has, or all until the exchange is complete."""
        channel = Channel.SHELL if socket is self._shell else Channel.IOPUB
        while not exchange.complete:
            try:
                parts = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            parent_id, message = _decoded(channel, parts)
            exchange.add(parent_id, message)


class BareListeners:
    """Subscriptions that libzmq's thread fills; they are emptied one after another."""

    def __init__(self, sockets: list[zmq.Socket[bytes]]) -> None:
        self._sockets = sockets
        self._arrived: list[list[list[bytes]]] = [[] for _ in sockets]

    async def until_idle(self, msg_id: str, *, deadline: float = DEADLINE) -> None:
        """Blocks the event loop on purpose, as the exchange does."""
        ends = time.perf_counter() + deadline
        for socket, arrived in zip(self._sockets, self._arrived, strict=True):
            while True:
                left = ends - time.perf_counter()
                if left <= 0 or not socket.poll(int(left * 1000) + 1):
                    raise Shortfall(f"a client has not all within {deadline:g} s")
                parts = socket.recv_multipart()
                arrived.append(parts)
                if b'"idle"' in parts[-1] and msg_id.encode() in parts[-3]:
                    break

    def take(self) -> list[list[Arrived]]:
        """What each subscription has had."""
        taken = [[_decoded(Channel.IOPUB, parts)[1] for parts in arrived] for arrived in self._arrived]
        self._arrived = [[] for _ in self._sockets]
        return taken

    async def close(self) -> None:
        """Close the sockets."""
        for socket in self._sockets:
            socket.close(linger=0)


def _decoded(channel: Channel, parts: list[bytes]) -> tuple[str, Arrived]:
    """A message, and the id of the request that it answers."""
    start = parts.index(_DELIMITER) + 2
    header = json.loads(parts[start])
    parent_header = json.loads(parts[start + 1])
    message = Arrived(channel, header["msg_type"], parts[start + 3], parts[start + 4 :])
    return parent_header.get("msg_id", ""), message


class BareSide:
    """Starts kernels with jupyter_client, in this process."""

    name = "bare"

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        # By default a context has 1,023 sockets at most.
        self._context.set(zmq.MAX_SOCKETS, 4096)
        self._kernels: list[BareKernel] = []
        self._specs = KernelSpecManager(kernel_dirs=[str(workspace.kernelspecs)], ensure_native_kernel=False)

    async def start(self) -> None:
        """Nothing has to run."""

    def processes(self) -> Processes:
        """Kernels alone."""
        return Processes((), tuple(kernel.pid for kernel in self._kernels if kernel.running))

    async def start_kernel(self, spec: str = PYTHON) -> Kernel:
        """Launch a kernel and connect to its endpoints, which it may bind later."""
        name = uuid.uuid4().hex[:8]
        endpoints: Path = self._workspace.folder / f"b-{name}"
        manager = AsyncKernelManager(
            kernel_name=spec,
            kernel_spec_manager=self._specs,
            transport="ipc",
            ip=str(endpoints),
            connection_file=f"{endpoints}.json",
        )
        await manager.start_kernel(
            env=dict(self._workspace.environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        kernel = BareKernel(manager, self._context)
        self._kernels.append(kernel)
        return kernel

    async def stop(self) -> None:
        """Close the context; its sockets went with their kernels."""
        self._context.destroy(linger=0)
