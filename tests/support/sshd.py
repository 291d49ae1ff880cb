"""A real sshd on the loopback interface, with keys of its own, and an ssh that knows it."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.support.processes import Process, free_port, wait_for_listener

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
MISSING = f"There is no {SSHD}: install Debian's package openssh-server."


@dataclass(frozen=True, slots=True)
class SshServer:
    """Keys and configuration in a folder, and the port that sshd takes while :meth:`running` is entered."""

    folder: Path
    port: int

    @classmethod
    def create(cls, folder: Path) -> SshServer:
        server = cls(folder, free_port())
        for name in ("host", "mine", "stranger"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
            )
        shutil.copy(folder / "mine.pub", folder / "authorized_keys")
        host_key = (folder / "host.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {host_key}")
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {server.port}\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nPermitRootLogin yes\n"
            "AuthenticationMethods publickey\nMaxStartups 100\n"
        )
        return server

    @property
    def destination(self) -> str:
        return f"{getpass.getuser()}@127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[Process]:
        if os.geteuid() == 0:
            # Only a service manager makes it otherwise, and sshd does not start as root without it.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        command = [SSHD, "-D", "-e", "-f", self.folder / "sshd_config"]
        process = Process(command, ready="Server listening", environ={"PATH": os.defpath}, deadline=15)
        with process:
            wait_for_listener(self.port)
            try:
                yield process
            finally:
                # Each connection has a process in a session of its own, which outlives the listener.
                for connection in psutil.Process(process.pid).children(recursive=True):
                    connection.kill()

    def ssh(self, *, key: str = "mine") -> tuple[str, ...]:
        """The command of an ssh that takes nothing from the person who runs the tests."""
        options = {
            "IdentityFile": self.folder / key,
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": self.folder / "known_hosts",
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
        }
        given = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return ("ssh", "-F", "/dev/null", *given)
