from __future__ import annotations

import asyncio
import threading

import pytest

from kernelway.client.options import GatewayOptions
from kernelway.jupyter.entrance import Entrance
from kernelway.protocol.errors import ConfigError

OPTIONS = GatewayOptions(base_url="http://127.0.0.1:9")
DEADLINE = 30.0


class Keyring:
    """A secret that a person has to unlock; ``asked`` counts how often."""

    def __init__(self) -> None:
        self.asked = 0
        self.unlocked = threading.Event()

    def options(self) -> GatewayOptions:
        self.asked += 1
        assert self.unlocked.wait(DEADLINE)
        return OPTIONS


async def test_it_is_entered_once() -> None:
    keyring = Keyring()
    keyring.unlocked.set()
    entrance = Entrance("gpu", keyring.options)
    gateways = await asyncio.gather(*(entrance.open() for _ in range(3)))
    assert {id(gateway) for gateway in (*gateways, await entrance.open())} == {id(entrance.gateway)}
    assert keyring.asked == 1
    await entrance.aclose()
    assert entrance.gateway is None


async def test_who_stops_waiting_does_not_make_it_begin_again() -> None:
    keyring = Keyring()
    entrance = Entrance("gpu", keyring.options)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(entrance.open(), 0.05)
    keyring.unlocked.set()
    assert await asyncio.wait_for(entrance.open(), DEADLINE) is entrance.gateway
    assert keyring.asked == 1
    await entrance.aclose()


async def test_after_a_failure_another_call_tries_again() -> None:
    answers: list[GatewayOptions] = []

    def options() -> GatewayOptions:
        if not answers:
            raise ConfigError("There is no secret.")
        return answers.pop()

    entrance = Entrance("gpu", options)
    for _ in range(2):
        with pytest.raises(ConfigError):
            await entrance.open()
    answers.append(OPTIONS)
    assert (await entrance.open()).options == OPTIONS
    await entrance.aclose()


async def test_it_can_be_given_up() -> None:
    keyring = Keyring()
    entrance = Entrance("gpu", keyring.options)
    opening = asyncio.create_task(entrance.open())
    while not keyring.asked:
        await asyncio.sleep(0.01)
    await entrance.aclose()
    with pytest.raises(asyncio.CancelledError):
        await opening
    keyring.unlocked.set()
