"""Which of an output's representations is shown."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from kernelway.cli.show.representation import Attachment, Text, represent

PNG = base64.b64encode(b"picture").decode()
HTML_OBJECT = "<IPython.core.display.HTML object>"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"text/plain": "1"}, Text("1")),
        ({"text/plain": ["a\n", "b"]}, Text("a\nb")),
        ({"text/plain": "   a\n0  1", "text/html": "<table>…</table>"}, Text("   a\n0  1")),
        ({"text/plain": HTML_OBJECT, "text/html": "<b>hello</b>"}, Text("hello")),
        ({"text/plain": "<module.Model at 0x7f>", "text/html": "<b>model</b>"}, Text("model")),
        ({"text/plain": "<module.Model at 0x7f>"}, Text("<module.Model at 0x7f>")),
        (
            {"text/plain": "<IPython.core.display.Markdown object>", "text/markdown": "# Title"},
            Text("# Title"),
        ),
        ({"text/plain": "<IPython.core.display.Latex object>", "text/latex": "$x$"}, Text("$x$")),
        (
            {"text/plain": "<IPython.core.display.JSON object>", "application/json": {"a": 1}},
            Text('{\n  "a": 1\n}'),
        ),
        (
            {"text/plain": "<Figure size 640x480 with 1 Axes>", "image/png": PNG},
            Attachment("picture", "image/png", b"picture"),
        ),
        ({"image/png": PNG[:4] + "\n" + PNG[4:]}, Attachment("picture", "image/png", b"picture")),
        ({"image/png": "no base64!", "text/plain": "plain"}, Text("plain")),
        ({"image/svg+xml": "<svg/>"}, Attachment("picture", "image/svg+xml", b"<svg/>")),
        (
            {"text/plain": HTML_OBJECT, "text/html": "<script>draw()</script>"},
            Attachment("page", "text/html", b"<script>draw()</script>"),
        ),
        (
            {"application/vnd.vegalite.v5+json": {"mark": "bar"}, "text/plain": "<VegaLite 5 object>"},
            Attachment("plot", "application/vnd.vegalite.v5+json", b'{"mark": "bar"}'),
        ),
        ({"application/x-strange": "?"}, Text("[application/x-strange]")),
        ({}, Text("")),
    ],
)
def test_the_richest_that_a_terminal_can_show(data: dict[str, Any], shown: object) -> None:
    assert represent(data) == shown


@pytest.mark.parametrize(
    ("mime", "suffix"),
    [
        ("image/png", ".png"),
        ("image/jpeg", ".jpg"),
        ("image/svg+xml", ".svg"),
        ("text/html", ".html"),
        ("application/vnd.vegalite.v5+json", ".json"),
    ],
)
def test_files_are_named_for_what_opens_them(mime: str, suffix: str) -> None:
    assert Attachment("", mime, b"").suffix == suffix
