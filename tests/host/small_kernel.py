"""A small kernel on pyzmq alone: ``python small_kernel.py CONNECTION_FILE``.

It starts in a fifth of ipykernel's time, runs Python in one namespace, and does not notice when its parent
dies, as kernels of other languages do not. In the namespace, ``show(text)`` publishes a stream output, and
``interrupted()`` looks for a request to interrupt, for kernelspecs whose interrupt mode is message.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import zmq

DELIMITER = b"<IDS|MSG>"


class SmallKernel:
    def __init__(self, info: dict[str, Any]) -> None:
        self.key = info["key"].encode()
        self.session = uuid.uuid4().hex
        self.parent: dict[str, Any] = {}
        self.namespace: dict[str, Any] = {
            "show": self.show,
            "publish": self.publish,
            "interrupted": self.interrupted,
        }
        self.context = zmq.Context()
        joint = "-" if info["transport"] == "ipc" else ":"
        self.sockets: dict[str, zmq.Socket[bytes]] = {}
        for channel in ("iopub", "stdin", "shell", "control"):
            socket = self.sockets[channel] = self.context.socket(
                zmq.PUB if channel == "iopub" else zmq.ROUTER
            )
            # What was published goes out before the end, however much it is.
            socket.linger, socket.sndhwm = 5000, 0
            socket.bind(f"{info['transport']}://{info['ip']}{joint}{info[f'{channel}_port']}")

    def sign(self, parts: list[bytes]) -> bytes:
        return hmac.new(self.key, b"".join(parts), hashlib.sha256).hexdigest().encode()

    def send(self, channel: str, idents: list[bytes], kind: str, content: dict[str, Any]) -> None:
        header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": self.session}
        header |= {"username": "kernel", "date": "2026-11-20T00:00:00Z", "version": "5.4"}
        parts = [json.dumps(part).encode() for part in (header, self.parent, {}, content)]
        self.sockets[channel].send_multipart([*idents, DELIMITER, self.sign(parts), *parts])

    def publish(self, kind: str, content: dict[str, Any]) -> None:
        self.send("iopub", [kind.encode()], kind, content)

    def show(self, text: object) -> None:
        self.publish("stream", {"name": "stdout", "text": str(text)})

    def interrupted(self) -> bool:
        return bool(self.sockets["control"].poll(10)) and self.answer("control") == "interrupt_request"

    def execute(self, code: str) -> dict[str, Any]:
        try:
            exec(code, self.namespace)  # It is what a kernel is for.
        except BaseException as error:
            if isinstance(error, SystemExit):
                raise
            content = {"ename": type(error).__name__, "evalue": str(error), "traceback": []}
            self.publish("error", content)
            return {"status": "error", **content}
        return {"status": "ok", "execution_count": 1}

    def answer(self, channel: str) -> str:
        """Answer one message; its type."""
        parts = self.sockets[channel].recv_multipart()
        at = parts.index(DELIMITER)
        assert parts[at + 1] == self.sign(parts[at + 2 : at + 6]), "The signature is wrong."
        before, self.parent, content = self.parent, json.loads(parts[at + 2]), json.loads(parts[at + 5])
        kind = self.parent["msg_type"]
        self.publish("status", {"execution_state": "busy"})
        reply = self.execute(content["code"]) if kind == "execute_request" else {"status": "ok"}
        self.send(channel, parts[:at], kind.replace("_request", "_reply"), reply)
        self.publish("status", {"execution_state": "idle"})
        self.parent = before
        return str(kind)

    def run(self) -> None:
        poller = zmq.Poller()
        for channel in ("shell", "control"):
            poller.register(self.sockets[channel], zmq.POLLIN)
        try:
            while self.answer_next(poller) != "shutdown_request":
                pass
        finally:
            self.context.destroy()

    def answer_next(self, poller: zmq.Poller) -> str:
        """Answer one message, one on control before one on shell; its type."""
        try:
            ready = dict(poller.poll())
            return self.answer("control" if self.sockets["control"] in ready else "shell")
        except KeyboardInterrupt:
            return ""


if __name__ == "__main__":
    SmallKernel(json.loads(Path(sys.argv[1]).read_text())).run()
