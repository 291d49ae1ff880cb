"""``python -m kernelway.gateway``: see :mod:`kernelway.gateway.child`."""

from __future__ import annotations

import gc
import sys

from kernelway.transport.loading import load_aiohttp


def main() -> int:
    """Serve until the host says to end, or is gone; the exit status."""
    # Modules are no garbage; run_loop takes up the search for it once they are loaded.
    gc.disable()
    # Before anything else imports it.
    load_aiohttp()
    from kernelway.gateway import child

    return child.main()


if __name__ == "__main__":
    sys.exit(main())
