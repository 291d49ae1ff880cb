"""Executes a notebook by nbclient's API, through its errors: NOTEBOOK KERNEL."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main(path: Path, kernel: str) -> None:
    notebook = nbformat.read(path, as_version=4)
    # What a cell has shown is waited for by the clock, from its reply on: a busy machine may need longer.
    NotebookClient(
        notebook, kernel_name=kernel, allow_errors=True, startup_timeout=60, iopub_timeout=60
    ).execute()
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
