"""Kernelspecs of the tests' own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SMALL = Path(__file__).with_name("small_kernel.py")

IPC = {"kernelway": {"transport": "ipc"}}
TCP = {"kernelway": {"transport": "tcp"}}


@dataclass(frozen=True, slots=True)
class Specs:
    """A folder of kernelspecs."""

    folder: Path

    def add(self, name: str, argv: list[str], **fields: Any) -> Path:
        """Install a kernelspec; its folder."""
        spec = {"argv": argv, "display_name": name, "language": "none", **fields}
        return self.add_text(name, json.dumps(spec))

    def add_text(self, name: str, text: str) -> Path:
        """Install whatever stands in the text as a ``kernel.json``."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "kernel.json").write_text(text)
        return folder

    def add_small(self, name: str = "small", **fields: Any) -> Path:
        """The small kernel, which runs Python."""
        fields = {"metadata": IPC, **fields}
        return self.add(name, ["python", str(SMALL), "{connection_file}"], **fields)

    def add_script(self, name: str, script: str, **fields: Any) -> Path:
        """A kernel that is whatever the Python script does, and needs no imports of others."""
        return self.add(name, ["python", "-I", "-S", "-c", script, "{connection_file}"], **fields)

    def add_bash(self) -> Path:
        """A kernel for another language."""
        return self.add("bash", ["python", "-m", "bash_kernel", "-f", "{connection_file}"], language="bash")
