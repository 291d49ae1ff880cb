"""A kernel that does next to nothing, quickly and with little memory: run by path, ``-f CONNECTION_FILE``.

What a server costs shows only beside a kernel that costs less. This one publishes small messages several
times as fast as ipykernel does, and 200 of it fit a small machine. It needs pyzmq and the standard library.
The code of an execute_request is one of

``publish COUNT``
    that many display_data messages, their text the numbers from 0
``send SIZE``
    one comm_msg with a buffer of that many bytes, each of them ``x``
anything else
    nothing

and the reply carries the code back as its ``user_expressions``.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import signal
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import zmq

_PARENT_INTERVAL = 5000
"""Milliseconds; ipykernel looks after its parent once a second."""

DELIMITER = b"<IDS|MSG>"

_SESSION = uuid.uuid4().hex

_HEADER = (
    f'{{"msg_id":"{_SESSION}_%d","msg_type":"%s","session":"{_SESSION}","username":"synthetic",'
    '"date":"2026-01-01T00:00:00.000000Z","version":"5.4"}'
)

_KERNEL_INFO = {
    "status": "ok",
    "protocol_version": "5.4",
    "implementation": "synthetic",
    "implementation_version": "1",
    "language_info": {
        "name": "synthetic",
        "version": "1",
        "mimetype": "text/plain",
        "file_extension": ".txt",
    },
    "banner": "",
    "help_links": [],
}


class SyntheticKernel:
    """Serves one request after another until a shutdown_request."""

    def __init__(self, connection: Mapping[str, str | int]) -> None:
        self._connection = connection
        self._key = str(connection["key"]).encode()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._iopub = self._bound(zmq.PUB, "iopub_port")
        self._shell = self._bound(zmq.ROUTER, "shell_port")
        self._control = self._bound(zmq.ROUTER, "control_port")
        self._stdin = self._bound(zmq.ROUTER, "stdin_port")
        self._heartbeat = self._bound(zmq.REP, "hb_port")
        self._sent = 0
        self._executions = 0
        self._data = b""

    def serve(self) -> None:
        """Answer until told to end, or until whoever started this process is gone."""
        parent = os.getppid()
        poller = zmq.Poller()
        for socket in (self._control, self._shell, self._heartbeat):
            poller.register(socket, zmq.POLLIN)
        going_on = True
        while going_on and os.getppid() == parent:
            for socket, _ in poller.poll(_PARENT_INTERVAL):
                parts = socket.recv_multipart()
                if socket is self._heartbeat:
                    socket.send_multipart(parts)
                else:
                    going_on = self._answer(socket, parts) and going_on
        self._context.destroy(linger=1000)

    def _bound(self, kind: zmq.SocketType, port: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        # What is published waits for its readers, as Kernelway has it for ipykernel too.
        socket.setsockopt(zmq.SNDHWM, 0)
        ip, number = self._connection["ip"], self._connection[port]
        ipc = self._connection["transport"] == "ipc"
        socket.bind(f"ipc://{ip}-{number}" if ipc else f"tcp://{ip}:{number}")
        return socket

    def _answer(self, socket: zmq.Socket[bytes], parts: list[bytes]) -> bool:
        """Answer one request; whether to go on."""
        start = parts.index(DELIMITER)
        parent = parts[start + 2]
        kind: str = json.loads(parent)["msg_type"]
        self._publish("status", parent, b'{"execution_state":"busy"}')
        content: Mapping[str, object] = {"status": "ok"}
        if kind == "kernel_info_request":
            content = _KERNEL_INFO
        elif kind == "execute_request":
            content = self._execute(parent, json.loads(parts[start + 5])["code"])
        if kind.endswith("_request"):
            reply = kind.removesuffix("_request") + "_reply"
            message = self._message(reply, parent, json.dumps(content).encode())
            socket.send_multipart([*parts[:start], *message])
        self._publish("status", parent, b'{"execution_state":"idle"}')
        return kind != "shutdown_request"

    def _execute(self, parent: bytes, code: str) -> Mapping[str, object]:
        self._executions += 1
        what, _, number = code.partition(" ")
        if what == "publish":
            for index in range(int(number)):
                content = b'{"data":{"text/plain":"%d"},"metadata":{},"transient":{}}' % index
                self._publish("display_data", parent, content)
        elif what == "send":
            content = b'{"comm_id":"synthetic","data":{}}'
            self._publish("comm_msg", parent, content, [self._buffer(int(number))])
        return {"status": "ok", "execution_count": self._executions, "user_expressions": {"code": code}}

    def _buffer(self, size: int) -> bytes:
        """Kept for when it is asked for again: filling it takes as long as sending it."""
        if len(self._data) != size:
            self._data = b"x" * size
        return self._data

    def _publish(self, kind: str, parent: bytes, content: bytes, buffers: Sequence[bytes] = ()) -> None:
        message = self._message(kind, parent, content)
        if not buffers:
            self._iopub.send_multipart([kind.encode(), *message])
        else:
            self._iopub.send_multipart([kind.encode(), *message], zmq.SNDMORE)
            self._iopub.send_multipart(buffers, copy=False)

    def _message(self, kind: str, parent: bytes, content: bytes) -> list[bytes]:
        self._sent += 1
        header = (_HEADER % (self._sent, kind)).encode()
        signed = header + parent + b"{}" + content
        signature = hmac.digest(self._key, signed, "sha256").hex().encode()
        return [DELIMITER, signature, header, parent, b"{}", content]


def main() -> None:
    """Serve the connection file that is named on the command line."""
    parser = argparse.ArgumentParser(description="A kernel for measuring servers.")
    parser.add_argument("-f", dest="connection_file", type=Path, required=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    path: Path = parser.parse_args().connection_file
    SyntheticKernel(json.loads(path.read_text(encoding="utf-8"))).serve()


if __name__ == "__main__":
    main()
