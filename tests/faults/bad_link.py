"""``python bad_link.py NAMESPACE NAMESPACE SEED``: join two network namespaces by a bad link.

Each gets a TUN device ``kw0``, the first with the address 192.0.2.1 and the second with 192.0.2.2. A packet
arrives 50 ± 10 ms later, in order, or one time in ten never; the same seed loses the same packets. Lines on
standard input rule it: after ``silence`` nothing arrives any more, after ``carry`` the link is as before. It
says ``carries`` once it does, and ends with its standard input. Needs root and iproute2.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass, field

DEVICE = "kw0"
ADDRESSES = ("192.0.2.1", "192.0.2.2")

_DELAY = 0.050
_JITTER = 0.010
_LOSS = 0.1

_TUNSETIFF = 0x400454CA
_IFF_TUN_WITHOUT_HEADER = 0x0001 | 0x1000


def open_device() -> int:
    """Make the device in the network namespace of this process; the descriptor of its other end."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH22x", DEVICE.encode(), _IFF_TUN_WITHOUT_HEADER)
    fcntl.ioctl(device, _TUNSETIFF, request)
    return device


def device_in(namespace: str, address: str) -> int:
    """The same in another namespace: a process that enters it sends the descriptor back."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [
            "ip",
            "netns",
            "exec",
            namespace,
            sys.executable,
            __file__,
            "--device",
            str(theirs.fileno()),
        ]
        subprocess.run(command, check=True, pass_fds=[theirs.fileno()], timeout=30)
        _, (device, *_), _, _ = socket.recv_fds(ours, 1, 1)
    for words in (["addr", "add", f"{address}/24", "dev", DEVICE], ["link", "set", DEVICE, "up"]):
        subprocess.run(["ip", "-n", namespace, *words], check=True, timeout=30)
    return device


@dataclass(slots=True)
class Link:
    """Both ways between two devices."""

    chance: random.Random
    silent: bool = False
    lost: int = 0
    carried: int = 0

    def join(self, one: int, other: int) -> None:
        loop = asyncio.get_running_loop()
        for way in (Way(self, one, other), Way(self, other, one)):
            loop.add_reader(way.source, way.take)


@dataclass(slots=True)
class Way:
    """One way of a link."""

    link: Link
    source: int
    target: int
    last: float = 0.0
    """When the packet before this one arrives: none overtakes another."""
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def take(self) -> None:
        """Take one packet off the source, and let it arrive in time, or not."""
        packet = os.read(self.source, 1 << 16)
        if self.link.silent or self.link.chance.random() < _LOSS:
            self.link.lost += 1
            return
        arrives = self.loop.time() + _DELAY + self.link.chance.uniform(-_JITTER, _JITTER)
        self.last = max(self.last, arrives)
        self.loop.call_at(self.last, self.arrive, packet)

    def arrive(self, packet: bytes) -> None:
        """Hand a packet over, unless nothing arrives any more."""
        if self.link.silent:
            self.link.lost += 1
            return
        try:
            os.write(self.target, packet)
        except OSError:
            self.link.lost += 1
        else:
            self.link.carried += 1


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def carry(namespaces: list[str], seed: int) -> None:
    """Join the namespaces until the standard input ends."""
    link = Link(random.Random(seed))
    link.join(*(device_in(*each) for each in zip(namespaces, ADDRESSES, strict=True)))
    tell("carries")
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin.buffer
    )
    while order := await orders.readline():
        link.silent = order.strip() == b"silence"
    tell(f"{link.carried} packets carried, {link.lost} lost")


if __name__ == "__main__":
    if sys.argv[1] == "--device":
        with socket.socket(fileno=int(sys.argv[2])) as asker:
            socket.send_fds(asker, [b"d"], [open_device()])
    else:
        asyncio.run(carry(sys.argv[1:3], int(sys.argv[3])))
