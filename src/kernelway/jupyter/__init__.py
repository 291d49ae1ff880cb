"""The server extension: local and remote kernels in one list of a notebook server."""

from __future__ import annotations

from typing import Any, Final

from kernelway import __version__

__all__ = ["EXTENSION", "__version__"]

EXTENSION: Final = "kernelway.jupyter"
"""What jupyter_server calls the extension: this package."""


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    # Whoever asks has jupyter_server; whoever imports a module of this package need not.
    from kernelway.jupyter.extension import KernelwayExtension

    return [{"module": EXTENSION, "app": KernelwayExtension}]
