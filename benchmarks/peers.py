"""The peers' own virtual environment, made from ``peers.lock`` when it is missing or the lock has changed.

``python -m benchmarks.peers`` makes it without running anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import sys
import venv
from pathlib import Path

from rich.console import Console

_FOLDER = Path(__file__).resolve().parent
_LOCK = _FOLDER / "peers.lock"
_ENVIRONMENT = _FOLDER.parent / ".venv-peers"
_STAMP = _ENVIRONMENT / "peers.sha256"
_PACKAGES = ("jupyter_server", "jupyter_kernel_gateway", "tornado", "jupyter_client", "pyzmq")
_INSTALL_DEADLINE = 600.0


class PeersMissing(Exception):
    """The peers could not be installed; the message says what to do."""


def python() -> Path:
    """The interpreter of the peers' environment."""
    return _ENVIRONMENT / "bin" / "python"


async def ensure(console: Console) -> Path:
    """The interpreter of an environment that holds what the lock says.

    The second call needs no network: a stamp in the environment says which lock it was made from.
    """
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    if _STAMP.is_file() and _STAMP.read_text(encoding="utf-8") == wanted:
        return python()
    console.print(f"Making {_ENVIRONMENT.name} from {_LOCK.name}, once: jupyter_server and kernel_gateway …")
    shutil.rmtree(_ENVIRONMENT, ignore_errors=True)
    await asyncio.to_thread(venv.create, _ENVIRONMENT, with_pip=True)
    await _install(console)
    _STAMP.write_text(wanted, encoding="utf-8")
    return python()


async def versions() -> dict[str, str]:
    """The versions of the packages that matter in a comparison."""
    code = (
        "import importlib.metadata, json, sys\n"
        "print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))"
    )
    process = await asyncio.create_subprocess_exec(
        python(), "-c", code, *_PACKAGES, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    found: dict[str, str] = json.loads(output)
    return found


async def _install(console: Console) -> None:
    process = await asyncio.create_subprocess_exec(
        *(python(), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"),
        *("--require-hashes", "--no-deps", "-r", _LOCK),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    stream = process.stdout
    assert stream is not None
    lines: list[str] = []
    try:
        async with asyncio.timeout(_INSTALL_DEADLINE):
            async for line in stream:
                lines.append(line.decode("utf-8", "replace").rstrip())
                if lines[-1].startswith(("Collecting", "Installing", "Successfully")):
                    console.print(f"  {lines[-1].split(' (')[0][:70]}", markup=False, highlight=False)
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        tail = "\n".join(lines[-10:])
        raise PeersMissing(
            f"pip could not install {_LOCK.name}:\n{tail}\n"
            "Check the network and try again, or leave the peers out with --sides bare,kernelway."
        )


if __name__ == "__main__":
    try:
        asyncio.run(ensure(Console(stderr=True)))
    except PeersMissing as error:
        sys.exit(str(error))
