"""A ``gateways.json`` of a test's own, and the places that are made of it."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kernelway.client.saved import GatewaysFile
from kernelway.jupyter.places import Places
from kernelway.transport.folders import runtime_folder

Entries = Mapping[str, Mapping[str, Any]]


def save(folder: Path, entries: Entries) -> GatewaysFile:
    """Save these gateways: their options by their names."""
    path = folder / "gateways.json"
    new = path.with_suffix(".new")
    new.write_text(json.dumps([{"name": name, "options": options} for name, options in entries.items()]))
    new.chmod(0o600)
    new.replace(path)
    return GatewaysFile(path)


def environ_of_tests() -> dict[str, str]:
    """An environment in which this machine's own gateway is one of the tests', or none."""
    runtime = Path(os.environ["XDG_RUNTIME_DIR"])
    environ = {"XDG_RUNTIME_DIR": str(runtime)}
    # Where that is no good the user's real folder would be taken.
    assert runtime in runtime_folder(environ).parents
    return environ


@asynccontextmanager
async def places_of(folder: Path, entries: Entries, **more: Any) -> AsyncIterator[Places]:
    """The places of these saved gateways."""
    async with Places(environ_of_tests(), file=save(folder, entries), **more) as places:
        yield places
