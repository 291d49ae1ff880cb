"""One run of a kernel: from the start of its process to its end. A restart is another run.

What starts the process is jupyter_client: its kernelspecs and provisioners, so other people's provisioners
work as they do in Jupyter. Every run has a connection file, a key and addresses of its own, so nothing that
was meant for the run before can reach the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from kernelway.host import guard_process
from kernelway.host.fork_servers import ForkServers
from kernelway.host.forked import ForkingProvisioner, Forks
from kernelway.host.forked_process import ForkedProcess
from kernelway.host.guard import Guard
from kernelway.host.output_tail import OutputTail
from kernelway.host.processes import wait_for_exit
from kernelway.host.sockets import KernelSocket
from kernelway.protocol.errors import KernelError, KernelStartFailed
from kernelway.protocol.message import Buffer, Channel
from kernelway.protocol.models import KernelId
from kernelway.protocol.signing import Signer
from kernelway.transport import deadlines
from kernelway.transport.folders import LONGEST_SOCKET_PATH

log = logging.getLogger(__name__)

HOST_MARK = "KERNELWAY_HOST"
"""The variable by which a host's guard knows what the host started."""

KERNEL_MARK = "KERNELWAY_KERNEL_ID"
"""The variable by which everything that a kernel started is known as that kernel's."""

_LONGEST_FOLDER = LONGEST_SOCKET_PATH - len("/k-ipc-5")

_LEAST_PATIENCE = 2.0
"""Seconds that a provisioner has at least for each of the steps that end a kernel."""

_UNKNOWN_EXIT = "The kernel has ended; how is not known, since what it was forked from had ended before it."

_SOCKETS = {
    Channel.SHELL: zmq.DEALER,
    Channel.CONTROL: zmq.DEALER,
    Channel.STDIN: zmq.DEALER,
    Channel.IOPUB: zmq.SUB,
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all kernels of a host share."""

    context: zmq.Context[zmq.Socket[bytes]]
    folder: Path
    """A private folder with a short path: the kernels' connection files and ipc sockets."""
    mark: str
    """The value of :data:`HOST_MARK`."""
    environ: Mapping[str, str] = field(repr=False)
    """What a kernel's environment starts from; the gateway's own settings are not in it."""
    guard: Guard
    forks: ForkServers | None = None
    """Where kernels on Python are forked; None has each started by command."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a kernel was asked to be, the same for each of its runs."""

    kernel_id: KernelId
    spec_name: str
    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


class KernelRun:
    """A started kernel. Made by :meth:`start`; :meth:`end` must be awaited, whatever happened before."""

    def __init__(self, order: Order, spec: KernelSpec, surroundings: Surroundings, *, number: int) -> None:
        self._order = order
        self._spec = spec
        self._surroundings = surroundings
        self._folder = surroundings.folder / f"{order.kernel_id[:8]}-{number}"
        transport = _transport(spec)
        self._launcher = _Launcher(
            kernel_id=order.kernel_id,
            kernel_name=order.spec_name,
            kernel_spec_manager=_Found(spec),
            context=zmq.asyncio.Context(surroundings.context),
            connection_file=str(self._folder / "k.json"),
            transport=transport,
            # A private folder needs no encryption; a port that every user of the machine can reach does.
            transport_encryption="disabled" if transport == "ipc" else "auto",
            log=logging.getLogger(f"{__name__}.launcher"),
        )
        self._pgid: int | None = None
        self.signer = self._new_signer()
        self._output = OutputTail()

    def _new_signer(self) -> Signer:
        return Signer(self._launcher.session.key, self._launcher.session.signature_scheme)

    async def start(self) -> None:
        """Start the process; :class:`KernelStartFailed` says why it could not be.

        It returns when the process runs, which is well before the kernel answers.
        """
        try:
            await self._start()
        except Exception as error:
            # Whatever a provisioner or the operating system raises is the answer to the one who asked.
            raise KernelStartFailed(
                self.with_output(f"The kernel {self._order.spec_name!r} could not be started: {error}")
            ) from error
        finally:
            self._output.close_writer()

    async def _start(self) -> None:
        if self._launcher.transport == "ipc" and len(os.fsencode(self._folder)) > _LONGEST_FOLDER:
            raise KernelStartFailed(f"the path {str(self._folder)!r} is too long for sockets in it")
        self._folder.mkdir(mode=0o700)
        provisioner = self._launcher.provisioner = self._provisioner()
        streams = {}
        if isinstance(provisioner, LocalProvisioner):
            if not self._spec.argv:
                raise KernelStartFailed("its kernelspec has no command, argv is empty")
            streams = {"stdout": self._output.writer, "stderr": self._output.writer}
        try:
            await self._launcher.launch(env=self._environment(), cwd=self._cwd(), **streams)
        finally:
            # There may be a process even where the rest of its start failed or was given up.
            self._note_group()
        # A provisioner may have brought a key and addresses of its own.
        self.signer = self._new_signer()

    def _provisioner(self) -> KernelProvisionerBase:
        factory = KernelProvisionerFactory.instance(parent=self._launcher.parent)
        named = factory.create_provisioner_instance(self._order.kernel_id, self._spec, parent=self._launcher)
        forks = self._surroundings.forks
        if forks is None or type(named) is not LocalProvisioner:
            return named
        forking = ForkingProvisioner(
            kernel_id=self._order.kernel_id, kernel_spec=self._spec, parent=self._launcher
        )
        forking.forks = Forks(forks, mark=f"{KERNEL_MARK}={self._order.kernel_id}")
        return forking

    def _environment(self) -> dict[str, str]:
        marks = {HOST_MARK: self._surroundings.mark, KERNEL_MARK: self._order.kernel_id}
        return {**self._surroundings.environ, **self._order.env, **marks}

    def _cwd(self) -> str | None:
        return None if self._order.cwd is None else str(self._order.cwd)

    def _note_group(self) -> None:
        process = self._local_process()
        if isinstance(process, ForkedProcess):
            # It may be about to become the leader of its group.
            self._pgid = process.pid
            self._surroundings.guard.note(process.pid)
        elif process is not None:
            with contextlib.suppress(ProcessLookupError):
                # Only a group of the kernel's own is ever sent a signal as a whole.
                if os.getpgid(process.pid) == process.pid:
                    self._pgid = process.pid
                    self._surroundings.guard.note(process.pid)

    def _local_process(self) -> subprocess.Popen[bytes] | ForkedProcess | None:
        """The kernel's process, where it is this host's; ids that mean another machine are not."""
        if isinstance(self._launcher.provisioner, ForkingProvisioner) and self._launcher.provisioner.forked:
            return self._launcher.provisioner.forked
        process = getattr(self._launcher.provisioner, "process", None)
        return process if isinstance(process, subprocess.Popen) else None

    def open(
        self, channel: Channel, receive: Callable[[Sequence[Buffer]], None], *, identity: bytes = b""
    ) -> KernelSocket:
        """Connect to one of the kernel's channels; the socket is the caller's to close.

        :class:`KernelError` where no more can be opened.
        """
        try:
            return KernelSocket(
                self._surroundings.context,
                _SOCKETS[channel],
                self._url(channel),
                receive,
                identity=identity,
                curve_server_key=self._launcher.curve_publickey,
            )
        except (zmq.ZMQError, OSError) as error:
            raise KernelError(f"The kernel's {channel} channel cannot be opened: {error}.") from error

    def _url(self, channel: Channel) -> str:
        port = getattr(self._launcher, f"{channel.value}_port")
        if self._launcher.transport == "ipc":
            return f"ipc://{self._launcher.ip}-{port}"
        return f"tcp://{self._launcher.ip}:{port}"

    async def exited(self) -> str:
        """Wait for the process to exit by itself, and tell how it did, in a sentence or more."""
        try:
            status = await self._exit_status()
            lost = status is None and isinstance(self._local_process(), ForkedProcess)
            sentence = _UNKNOWN_EXIT if lost else _exit_sentence(status)
        except Exception as error:
            # A provisioner that cannot tell how its kernel is has lost it.
            log.exception("Kernel %s cannot be watched any more.", self._order.kernel_id)
            sentence = f"The kernel was lost by what started it: {error}"
        return self.with_output(sentence)

    async def _exit_status(self) -> int | None:
        provisioner = self._launcher.provisioner
        assert provisioner is not None
        process = self._local_process()
        if isinstance(process, ForkedProcess):
            return await process.exited()
        if process is not None and sys.platform == "linux":
            # Where no descriptor is to be had for it, the process is asked again and again, as elsewhere.
            with contextlib.suppress(OSError):
                # What was reaped already must not be waited for: its pid may be another process's by now.
                if process.poll() is None:
                    await wait_for_exit(process.pid)
                return await provisioner.poll()
        return await provisioner.wait()

    def with_output(self, sentence: str) -> str:
        """The sentence, and the end of what the process wrote to its own stdout and stderr."""
        tail = self._output.text()
        return f"{sentence} The end of its output:\n{tail}" if tail else sentence

    async def interrupt(self) -> None:
        """Interrupt as the kernelspec says: by signal to the process group, or by a control message."""
        try:
            await self._launcher.interrupt_kernel()
        except Exception as error:
            # What a provisioner raises is the answer to the one who asked.
            raise KernelError(f"The kernel could not be interrupted: {error}") from error

    async def end(self, *, shutdown: Callable[[], object] | None, patience: float) -> None:
        """End the process and all it started: politely by ``shutdown``, then by SIGTERM, then by SIGKILL.

        ``patience`` is in seconds, half of it for each of the first two. Without ``shutdown`` it is killed
        at once. Nothing that goes wrong on the way keeps the rest from being cleaned up; it is in the log.
        """
        if self._launcher.has_kernel:
            await self._end_process(shutdown, patience)
        mark = f"{KERNEL_MARK}={self._order.kernel_id}"
        await asyncio.to_thread(guard_process.kill_marked, mark)
        if self._pgid is not None:
            guard_process.kill(os.killpg, self._pgid)
            self._surroundings.guard.forget(self._pgid)
        await self._step("cleaning up", self._launcher.cleanup_resources(), patience)
        self._output.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _end_process(self, shutdown: Callable[[], object] | None, patience: float) -> None:
        provisioner = self._launcher.provisioner
        assert provisioner is not None
        if shutdown is not None:
            patience = provisioner.get_shutdown_wait_time(patience)
            # A kernel that is busy hears of a shutdown only when it is not; Jupyter interrupts first, too.
            await self._step("interrupting", self._launcher.interrupt_kernel(), patience)
            shutdown()
            if await self._exits_within(patience / 2):
                return
            await self._step("terminating", provisioner.terminate(), patience)
            if await self._exits_within(patience / 2):
                return
        await self._step("killing", provisioner.kill(), patience)
        if not await self._exits_within(max(patience, _LEAST_PATIENCE)):
            log.error("The process of kernel %s does not end on SIGKILL.", self._order.kernel_id)

    async def _step(self, doing: str, step: Awaitable[object], patience: float) -> None:
        try:
            async with deadlines.timeout(max(patience, _LEAST_PATIENCE)):
                await step
        except Exception:
            # It is a provisioner's: whatever it raises, the kernel has to end.
            log.exception("Kernel %s: %s failed.", self._order.kernel_id, doing)

    async def _exits_within(self, seconds: float) -> bool:
        try:
            async with deadlines.timeout(seconds):
                await self._exit_status()
        except TimeoutError:
            return False
        except Exception:
            # Who cannot tell whether it has ended has to be told to end it.
            log.exception("Kernel %s: waiting for its end failed.", self._order.kernel_id)
            return False
        return True


class _Launcher(AsyncKernelManager):
    """Writes nothing of a request's environment to disk: upstream would write one variable of it."""

    def write_connection_file(self, **_: object) -> None:
        """Write where the kernel is to listen, and its key."""
        super().write_connection_file()

    async def launch(self, **options: object) -> None:
        """What ``start_kernel`` does, but for the 10 ms that it waits for the sake of upstream's tests."""
        command, options = await self.pre_start_kernel(**options)
        await self._async_launch_kernel(command, **options)
        await self.post_start_kernel(**options)


class _Found(KernelSpecManager):
    """What a launcher asks for its kernelspec: it was found already, so nothing is read again."""

    def __init__(self, spec: KernelSpec) -> None:
        super().__init__()
        self._spec = spec

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The one there is."""
        return self._spec


def _transport(spec: KernelSpec) -> str:
    """Ipc where the kernel can: kernels on pyzmq can, some in other languages have a ZeroMQ that cannot.

    A kernelspec may say so itself: ``"metadata": {"kernelway": {"transport": "ipc"}}``, or ``"tcp"``.
    """
    stated = spec.metadata.get("kernelway", {})
    if isinstance(stated, dict) and stated.get("transport") in ("ipc", "tcp"):
        return str(stated["transport"])
    executable = Path(spec.argv[0]).name if spec.argv else ""
    runs_on_python = executable.startswith("python") and "-m" in spec.argv
    return "ipc" if runs_on_python and _shares_files(spec) and sys.platform != "win32" else "tcp"


def _shares_files(spec: KernelSpec) -> bool:
    """Whether the kernel surely sees this machine's folders: what other provisioners start may not."""
    named = spec.metadata.get("kernel_provisioner")
    default = KernelProvisionerFactory.instance().default_provisioner_name
    name = named.get("provisioner_name", default) if isinstance(named, dict) else default
    return bool(name == "local-provisioner")


def _exit_sentence(status: int | None) -> str:
    if status is None:
        return "The kernel has ended."
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"The kernel was ended by {signal.Signals(-status).name}."
    return f"The kernel exited with status {status}."
