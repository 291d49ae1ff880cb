"""jupyter_client's provisioner of local kernels, with another way to make the process.

Everything else about a start stays jupyter_client's: the connection file, ports and their cache, keys, the
kernelspec's variables, the command.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from kernelway.host.fork_server import Launch
from kernelway.host.fork_servers import ForkServers
from kernelway.host.forked_process import ForkedProcess


@dataclass(frozen=True, slots=True)
class Forks:
    """Where a provisioner's kernel is forked."""

    servers: ForkServers
    mark: str
    """See :class:`Launch`."""


class ForkingProvisioner(LocalProvisioner):
    """Forks the kernel where that can be, and starts it by command where it cannot."""

    forks: Forks | None = None
    forked: ForkedProcess | None = None

    @property
    def has_process(self) -> bool:
        """Whether there was one."""
        return self.forked is not None or super().has_process

    async def launch_kernel(self, cmd: list[str], **kwargs: object) -> KernelConnectionInfo:
        """Launch a kernel, forked or by command."""
        if self.forks is not None:
            launch = _launch(cmd, self.forks.mark, kwargs)
            self.forked = await self.forks.servers.fork(self.kernel_spec, launch)
        if self.forked is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.forked.pid
        self.cwd = kwargs.get("cwd") or Path.cwd()
        return self.connection_info

    async def poll(self) -> int | None:
        """None while the process runs."""
        if self.forked is None:
            return await super().poll()
        return await self.forked.exited() or 0 if self.forked.is_gone else None

    async def wait(self) -> int | None:
        """Wait for the process's end."""
        return await super().wait() if self.forked is None else await self.forked.exited()

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's group, or to the kernel alone where it leads none yet."""
        if self.forked is None:
            await super().send_signal(signum)
        elif not self.forked.is_gone:
            try:
                os.killpg(self.forked.pid, signum)
            except ProcessLookupError:
                self.forked.send_signal(signum)

    async def kill(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002
        """Send SIGKILL."""
        await (super().kill(restart) if self.forked is None else self.send_signal(signal.SIGKILL))

    async def terminate(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002
        """Send SIGTERM."""
        await (super().terminate(restart) if self.forked is None else self.send_signal(signal.SIGTERM))

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002
        """Give back what the kernel took of this process."""
        await super().cleanup(restart)
        if self.forked is not None:
            self.forked.close()


def _launch(cmd: list[str], mark: str, kwargs: Mapping[str, object]) -> Launch:
    """What jupyter_client's launcher would have ``Popen`` start."""
    env = cast("Mapping[str, str]", kwargs["env"])
    return Launch(
        argv=[os.path.expanduser(word) for word in cmd],  # noqa: PTH111 - Most words are no paths.
        env={**env, "JPY_PARENT_PID": str(os.getpid())},
        cwd=str(kwargs.get("cwd") or Path.cwd()),
        mark=mark,
        output=cast("int", kwargs["stdout"]),
    )
