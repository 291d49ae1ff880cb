"""Answering with the logos of remote kernelspecs."""

from __future__ import annotations

import mimetypes
from typing import Final

from kernelway.jupyter.http_errors import told
from kernelway.jupyter.kernelspecs import KernelwayKernelSpecManager
from kernelway.jupyter.remote_kernelspecs import KEPT
from kernelway.jupyter.upstream import KERNELSPEC_NAME, ResourceHandler, restricted

LOGOS: Final = rf"/kernelspecs/{KERNELSPEC_NAME}/(?P<path>.*)"
"""The pattern of jupyter_server's own handler, which this one comes before."""


class LogoHandler(ResourceHandler):
    """Fetches what belongs to a remote kernelspec, and leaves the rest to its base class.

    That would ask the kernelspecs' manager for the content as well; but it logs an error with each such file,
    and a warning with each local one.
    """

    @restricted
    async def get(self, kernel_name: str, path: str, include_body: bool = True) -> None:  # noqa: FBT001, FBT002
        """A logo."""
        manager = self.kernel_spec_manager
        if not (isinstance(manager, KernelwayKernelSpecManager) and manager.is_remote(kernel_name)):
            await super().get(kernel_name, path, include_body=include_body)
            return
        with told():
            content = await manager.assembly.kernelspecs.logo(kernel_name, path)
        self.set_header("Content-Type", mimetypes.guess_type(path)[0] or "application/octet-stream")
        self.set_header("Cache-Control", f"max-age={KEPT:.0f}")
        # An SVG may hold scripts: a page shows it as an image, and nothing else may be done with it.
        self.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
        self.finish(content if include_body else b"")

    def compute_etag(self) -> str | None:
        """A hash of what is answered, where that is no file."""
        return super().compute_etag() if hasattr(self, "absolute_path") else None
