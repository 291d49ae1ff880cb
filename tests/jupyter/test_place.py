"""What a place says of its errors, and when it is asked again; test_places has places that are asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.client.backoff import CAP
from kernelway.jupyter.place import pause, short_reason
from kernelway.protocol.errors import (
    ConfigError,
    KernelwayError,
    LinkLost,
    TunnelFailed,
    Unreachable,
    WrongCertificate,
    WrongCredentials,
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Nobody listens at http://gpu.lab:8888/x: start the server, or check the port.",
            "Nobody listens at http://gpu.lab:8888/x",
        ),
        ("There is no way to http://10.0.0.1:8/. Check the VPN.", "There is no way to http://10.0.0.1:8/"),
        (
            "Nobody known here vouches for the certificate of https://h (SHA-256 fingerprint AB:CD). Ask.",
            "Nobody known here vouches for the certificate of https://h",
        ),
        ("It does not answer within 0.5 seconds.", "It does not answer within 0.5 seconds"),
        ("x" * 150, "x" * 100 + "…"),
        ("", ""),
    ],
)
def test_a_reason_is_the_first_thing_that_an_error_says(text: str, reason: str) -> None:
    assert short_reason(Unreachable(text)) == reason


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_what_is_away_is_asked_again_soon(attempt: int, chance: float) -> None:
    for error in (Unreachable(""), LinkLost(""), WrongCertificate(""), TunnelFailed("ssh: no route to host")):
        assert 0 <= pause(error, attempt, chance) <= CAP


@pytest.mark.parametrize(
    "error",
    [WrongCredentials("Refused."), ConfigError("No secret."), TunnelFailed("Permission denied (publickey).")],
)
def test_who_refuses_is_not_pressed(error: KernelwayError) -> None:
    assert pause(error, 1, 0.0) == 60
