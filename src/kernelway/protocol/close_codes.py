"""Why a WebSocket of ``/channels`` was closed, as codes that make clients do the right thing.

@jupyterlab/services reconnects after any code but 1000 and 1001, asking for the kernel's model first; so
neither is used where the kernel may still be there. Codes from 4000 on are Kernelway's own.
"""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """The codes a gateway closes with."""

    PROTOCOL_ERROR = 1002
    """A frame that does not follow its protocol; the reason says how."""
    MESSAGE_TOO_BIG = 1009
    """A frame above the gateway's limit for one message."""
    INTERNAL_ERROR = 1011
    """A bug of the gateway's, whose details are in its log."""
    SERVICE_RESTART = 1012
    """The gateway is stopping."""
    KERNEL_GONE = 4404
    """The kernel was shut down."""
    KERNEL_DEAD = 4410
    """A message came for a kernel that died and is not restarted again."""
    REPLACED = 4409
    """A newer socket has the same kernel and session."""
