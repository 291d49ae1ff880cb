"""A machine that has the kernel of a gateway as a kernelspec, and programs that know nothing of gateways."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.interop.conftest import GatewayServer
from tests.support.processes import environ_in, until
from yarl import URL

from kernelway.client import Gateway
from kernelway.protocol.models import EndedKernel

SCRIPTS = Path(sysconfig.get_path("scripts"))

KERNEL = "python3.gpu-box"
"""The kernelspec of the gateway's kernels, as it is installed here."""

WHERE = "import os; 'GATEWAY_INTEROP_RUN' in os.environ"
"""Code whose result is True where the gateway started what runs it."""

DEADLINE = 60.0

SHUT_DOWN = "It was shut down."
"""Why a kernel ended, where a client asked for it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A person's own folders, in which the gateway is saved as ``gpu-box``, and its kernel installed."""

    environ: dict[str, str]
    work: Path
    server: GatewayServer

    def run(self, program: str, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, which is to have this exit status."""
        done = subprocess.run(
            [SCRIPTS / program, *map(str, arguments)],
            env=self.environ,
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return done

    def write(self, name: str, text: str) -> Path:
        path = self.work / name
        path.write_text(text)
        return path

    def save(self, name: str, url: URL) -> None:
        """Save the gateway under a name; where there is one of that name, it leads here from now on."""
        path = Path(self.environ["JUPYTER_CONFIG_DIR"]) / "gateways.json"
        saved = json.loads(path.read_text()) if path.exists() else []
        others = [each for each in saved if each["name"] != name]
        options = {"baseUrl": str(url), "token": self.server.token}
        path.write_text(json.dumps([*others, {"name": name, "options": options}]))
        path.chmod(0o600)

    def install(self, *arguments: str) -> None:
        """Install a kernelspec of a saved gateway."""
        self.run("kernelway", "kernelspec", "install", *arguments)

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[Gateway]:
        """The gateway, for a look at what runs there."""
        async with Gateway(self.server.url, token=self.server.token) as gateway:
            yield gateway

    async def all_ended(self) -> list[EndedKernel]:
        """Wait until no kernel runs at the gateway; those that ended there, the latest first."""
        async with self.gateway() as gateway:

            async def gone() -> bool:
                return not await gateway.kernels()

            await until(gone, deadline=DEADLINE)
            return await gateway.ended()

    def ended(self) -> list[EndedKernel]:
        """The same, outside of an event loop."""
        return asyncio.run(self.all_ended())


@pytest.fixture(scope="module")
def machine(gateway_server: GatewayServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The machine of somebody who has installed the gateway's kernelspec."""
    folder = tmp_path_factory.mktemp("person")
    (folder / "work").mkdir()
    machine = Machine(environ_in(folder), folder / "work", gateway_server)
    machine.save("gpu-box", URL(gateway_server.url))
    machine.install("--on", "gpu-box")
    yield machine
    machine.ended()


def notebook(*cells: str, tags: Sequence[str] = ()) -> str:
    """A notebook for a local kernel; ``tags`` are those of the first cell."""
    return json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
                "language_info": {"name": "python"},
            },
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{number}",
                    "execution_count": None,
                    "metadata": {"tags": list(tags)} if number == 0 else {},
                    "outputs": [],
                    "source": cell,
                }
                for number, cell in enumerate(cells)
            ],
        }
    )
