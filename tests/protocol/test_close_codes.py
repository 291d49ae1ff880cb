"""The codes that a WebSocket is closed with."""

from __future__ import annotations

import pytest

from kernelway.protocol.channels import ChannelsClosed
from kernelway.protocol.close_codes import CloseCode
from kernelway.protocol.errors import LinkLost


@pytest.mark.parametrize("code", CloseCode)
def test_clients_reconnect_after_every_code(code: CloseCode) -> None:
    # @jupyterlab/services takes 1000 and 1001 for the end of the kernel's connection on purpose.
    assert code not in (1000, 1001)
    # Codes that stand for a close frame that never came, and those of nobody, cannot be sent (RFC 6455, 7.4).
    assert code in range(1002, 1015) or code in range(4000, 5000)
    assert code not in (1004, 1005, 1006)


def test_a_closed_connection_is_a_lost_link_that_says_why() -> None:
    closed = ChannelsClosed(CloseCode.REPLACED, "Replaced.")
    assert isinstance(closed, LinkLost)
    assert (closed.code, closed.reason, str(closed)) == (4409, "Replaced.", "Replaced.")
