"""An asyncio client of Jupyter gateways: kernelway's own, jupyter_server and kernel_gateway alike.

    from kernelway.client import Gateway

    async with Gateway("http://host:8888", token="…") as gateway:
        session = await gateway.open_session("analysis.py", kernel="python3")
        async for output in session.kernel.execute("1 + 1"):
            print(output)

The session of the file is joined, or made where there is none. Leaving the block never ends a kernel;
``session.shutdown()`` does. :mod:`kernelway.client.sync` is the same for scripts without asyncio. Errors are
those of :mod:`kernelway.protocol.errors`.
"""

from kernelway.client.comm import Comm, CommMessage
from kernelway.client.execution import Execution
from kernelway.client.gateway import Gateway, Server, ServerKind
from kernelway.client.inbox import Feed
from kernelway.client.kernel import Kernel
from kernelway.client.link_status import LinkEvent, LinkStatus
from kernelway.client.local import local_gateway
from kernelway.client.log import Log, LogEntry
from kernelway.client.options import GatewayOptions
from kernelway.client.session import Session
from kernelway.protocol.execution import (
    Clear,
    Display,
    Error,
    ExecuteReply,
    InputRequest,
    Lost,
    Output,
    Result,
    Stream,
    Update,
)

__all__ = [
    "Clear",
    "Comm",
    "CommMessage",
    "Display",
    "Error",
    "ExecuteReply",
    "Execution",
    "Feed",
    "Gateway",
    "GatewayOptions",
    "InputRequest",
    "Kernel",
    "LinkEvent",
    "LinkStatus",
    "Log",
    "LogEntry",
    "Lost",
    "Output",
    "Result",
    "Server",
    "ServerKind",
    "Session",
    "Stream",
    "Update",
    "local_gateway",
]
