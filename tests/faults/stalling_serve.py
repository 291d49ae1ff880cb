"""``python stalling_serve.py STALLED PUBLISHED SECONDS serve …``: kernelway whose event loop can be blocked.

At SIGUSR1 the main thread, and with it the event loop, makes the file STALLED and then does nothing until the
file PUBLISHED exists, but at least for so many seconds.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from kernelway.cli.main import main


def stall(stalled: Path, published: Path, seconds: float) -> None:
    """Block whoever calls."""
    began = time.monotonic()
    stalled.touch()
    while not published.exists() or time.monotonic() < began + seconds:
        time.sleep(0.05)
    sys.stdout.write(f"The event loop was blocked for {time.monotonic() - began:.1f} s.\n")
    sys.stdout.flush()


if __name__ == "__main__":
    files, least = [Path(name) for name in sys.argv[1:3]], float(sys.argv[3])
    signal.signal(signal.SIGUSR1, lambda *_: stall(*files, least))
    sys.exit(main(sys.argv[4:]))
