"""Signatures, with jupyter_client's own Session as the judge."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.session import Session

from kernelway.protocol.errors import FrameError
from kernelway.protocol.message import Channel, Message
from kernelway.protocol.signing import Signer

from .strategies import MESSAGES, assert_one_sentence

SCHEMES = sorted(f"hmac-{name}" for name in hashlib.algorithms_guaranteed if not name.startswith("shake_"))

PARTS = ("header", "parent_header", "metadata", "content")

KEYS = st.binary(min_size=1, max_size=80)


def parts_of(message: Message) -> list[bytes]:
    return [bytes(getattr(message, name)) for name in PARTS]


@given(scheme=st.sampled_from(SCHEMES), key=KEYS, message=MESSAGES)
def test_a_signature_is_the_one_that_jupyter_client_makes(scheme: str, key: bytes, message: Message) -> None:
    session = Session(key=key, signature_scheme=scheme)
    signer = Signer(key, scheme)
    assert signer.sign(message) == session.sign(parts_of(message))
    assert signer.sign_parts(*parts_of(message)) == signer.sign(message)
    signer.check(session.sign(parts_of(message)), message)


@given(key=KEYS, message=MESSAGES, part=st.sampled_from(PARTS), data=st.data())
def test_no_part_can_be_changed(key: bytes, message: Message, part: str, data: st.DataObject) -> None:
    signer = Signer(key)
    signature = signer.sign(message)
    changed = bytearray(getattr(message, part))
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= data.draw(st.integers(1, 255))
    forged = Message(
        message.channel, **{**dict(zip(PARTS, parts_of(message), strict=True)), part: bytes(changed)}
    )
    with pytest.raises(FrameError) as caught:
        signer.check(signature, forged)
    assert_one_sentence(caught.value)


@given(key=KEYS, message=MESSAGES, signature=st.binary(max_size=80))
def test_any_other_signature_is_refused(key: bytes, message: Message, signature: bytes) -> None:
    signer = Signer(key)
    for wrong in (signature, signer.sign(message)[:-1], signer.sign(message).upper() + b"x", b""):
        with pytest.raises(FrameError, match="signature"):
            signer.check(wrong, message)


@given(message=MESSAGES)
def test_a_signature_of_another_key_is_refused(message: Message) -> None:
    with pytest.raises(FrameError, match="signature"):
        Signer(b"ours").check(Signer(b"theirs").sign(message), message)


@given(message=MESSAGES, signature=st.binary(max_size=80))
def test_an_empty_key_turns_signing_off(message: Message, signature: bytes) -> None:
    signer = Signer(b"")
    assert signer.sign(message) == b"" == Session(key=b"").sign(parts_of(message))
    signer.check(signature, message)


def test_a_signature_may_come_as_a_view() -> None:
    message = Message(Channel.SHELL, b"{}")
    signer = Signer(b"key")
    signer.check(memoryview(signer.sign(message)), message)


@pytest.mark.parametrize("key", [b"", b"key"])
@pytest.mark.parametrize(
    "scheme", ["", "sha256", "hmac-", "hmac-nope", "hmac-shake_128", "x-sha256", "HMAC-sha256"]
)
def test_an_unknown_scheme_is_refused_by_its_name(scheme: str, key: bytes) -> None:
    with pytest.raises(FrameError, match=f"'{scheme}' is not known") as caught:
        Signer(key, scheme)
    assert_one_sentence(caught.value)
