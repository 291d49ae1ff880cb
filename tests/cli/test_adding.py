"""``kernelway gateways add``."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.cli.conftest import Home, Served
from tests.cli.console import console, kernelway
from tests.support.certificates import Authority
from tests.support.peers import http_peer

from kernelway.cli.adding import split_url


@pytest.mark.parametrize(
    ("text", "base", "token"),
    [
        ("http://gpu:8888", "http://gpu:8888", None),
        ("http://gpu:8888/", "http://gpu:8888", None),
        ("gpu:8888", "http://gpu:8888", None),
        ("gpu", "http://gpu", None),
        ("https://gpu/jupyter/", "https://gpu/jupyter", None),
        ("http://gpu:8888/?token=sesame", "http://gpu:8888", "sesame"),
        ("http://gpu:8888/lab?token=se%2Bsame", "http://gpu:8888", "se+same"),
        ("http://gpu:8888/user/ada/lab/tree/a.ipynb?token=x&reset", "http://gpu:8888/user/ada", "x"),
        ("http://gpu:8888/tree", "http://gpu:8888", None),
        ("http://gpu:8888/labs", "http://gpu:8888/labs", None),
        ("http://[::1]:8888/login?next=%2F", "http://[::1]:8888", None),
        ("unix:/run/a.sock", "unix:/run/a.sock", None),
    ],
)
def test_what_people_paste(text: str, base: str, token: str | None) -> None:
    assert split_url(text) == (base, token)


def saved(home: Home) -> list[dict[str, Any]]:
    if not home.gateways.exists():
        return []
    entries: list[dict[str, Any]] = json.loads(home.gateways.read_text())
    return entries


def test_a_gateway_is_tried_and_saved(home: Home, served: Served) -> None:
    done = kernelway("gateways", "add", "gpu", served.url, "--token", served.token, environ=home.environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("gpu is a kernelway 0")
    assert done.stdout.endswith("Run a file there with: kernelway run FILE --on gpu\n")
    assert saved(home) == [{"name": "gpu", "options": {"baseUrl": served.url, "token": served.token}}]
    assert stat.S_IMODE(home.gateways.stat().st_mode) == 0o600


def test_a_url_with_a_token_in_it(home: Home, served: Served) -> None:
    done = kernelway(
        "gateways", "add", "my gpu", f"{served.url}/lab?token={served.token}", environ=home.environ
    )
    assert done.returncode == 0, done.stderr
    assert "--on 'my gpu'" in done.stdout
    assert saved(home)[0]["options"] == {"baseUrl": served.url, "token": served.token}


def test_a_token_from_the_environment_stays_there(home: Home, served: Served) -> None:
    arguments = ("gateways", "add", "gpu", f"{served.url}?token=other", "--token-env", "GPU_TOKEN")
    missing = kernelway(*arguments, environ=home.environ)
    assert missing.returncode == 1
    assert "GPU_TOKEN, which is not set" in missing.stderr
    done = kernelway(*arguments, environ=home.environ | {"GPU_TOKEN": served.token})
    assert done.returncode == 0, done.stderr
    assert saved(home)[0]["options"] == {"baseUrl": served.url, "tokenEnv": "GPU_TOKEN"}


def test_without_a_terminal_nobody_is_asked(home: Home, served: Served) -> None:
    done = kernelway("gateways", "add", "gpu", served.url, environ=home.environ)
    assert done.returncode == 1
    assert "asks for a token" in done.stderr
    assert saved(home) == []


def test_on_a_terminal_the_token_is_asked_for_and_not_shown(home: Home, served: Served) -> None:
    with console("gateways", "add", "gpu", served.url, environ=home.environ) as shown:
        shown.until_text("Token of gpu:")
        shown.until(lambda _: not shown.echoes)
        shown.press(f"{served.token}\n")
        assert shown.wait() == 0
    assert saved(home)[0]["options"]["token"] == served.token
    assert served.token not in shown.raw


def test_a_wrong_token_is_not_saved(home: Home, served: Served) -> None:
    with console("gateways", "add", "gpu", served.url, environ=home.environ) as shown:
        shown.until_text("Token of gpu:")
        shown.until(lambda _: not shown.echoes)
        shown.press("wrong\n")
        assert shown.wait() == 1
    assert "refuses the token" in " ".join(shown.screen.lines)
    assert saved(home) == []


async def jupyter(request: web.Request) -> web.Response:
    """As much of a gateway as `add` asks of one."""
    if request.path == "/api":
        return web.json_response({"version": "2.21.0"})
    if request.path == "/api/kernelspecs":
        return web.json_response({"default": "ir", "kernelspecs": {}})
    raise web.HTTPNotFound


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("", 1), ("n", 1)])
async def test_a_self_signed_certificate_is_pinned_only_when_the_person_says_so(
    home: Home, tmp_path: Path, answer: str, status: int
) -> None:
    authority = Authority(tmp_path / "authority")
    tls = authority.server()
    async with http_peer(jupyter, tls=tls) as peer:

        def add() -> tuple[int, str]:
            with console("gateways", "add", "box", peer.base_url, environ=home.environ) as shown:
                shown.until_text("Trust this certificate from now on? [y/N]")
                shown.press(f"{answer}\n")
                return shown.wait(), shown.screen.text

        left, text = await asyncio.to_thread(add)
    assert left == status, text
    options = [entry["options"] for entry in saved(home)]
    if status:
        assert options == []
    else:
        (pinned,) = options
        assert pinned["fingerprint"][:48] in text
        assert pinned["fingerprint"][48:] in text
        assert "box is a kernel_gateway 2.21.0" in text


def test_what_does_not_answer_is_saved_only_by_force(home: Home) -> None:
    arguments = ("gateways", "add", "gpu", "http://127.0.0.1:9")
    done = kernelway(*arguments, environ=home.environ)
    assert done.returncode == 1
    assert saved(home) == []
    forced = kernelway(*arguments, "--force", environ=home.environ)
    assert forced.returncode == 0
    assert forced.stdout.startswith("Saved gpu, which does not work yet: Nobody listens at")
    assert len(saved(home)) == 1


def test_a_name_that_is_taken(home: Home, served: Served) -> None:
    home.save(gpu={"baseUrl": "http://127.0.0.1:9"})
    arguments = ("gateways", "add", "gpu", served.url, "--token", served.token)
    done = kernelway(*arguments, environ=home.environ)
    assert done.returncode == 1
    assert "There is a gateway 'gpu' already" in done.stderr
    forced = kernelway(*arguments, "--force", environ=home.environ)
    assert forced.returncode == 0, forced.stderr
    assert [entry["options"]["baseUrl"] for entry in saved(home)] == [served.url]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("local", "http://gpu"), "'local' is the gateway of this machine"),
        (("gpu", "ftp://gpu"), "it must begin with http:// or https://"),
        (("gpu", "http://gpu", "--header", "secret"), "--header needs a name and a value"),
        (("gpu", "http://gpu", "--fingerprint", "AB"), "fingerprint"),
        (("gpu", "http://gpu", "--ssh=-oProxyCommand=x"), "ssh is '-oProxyCommand=x'"),
    ],
)
def test_what_cannot_be(home: Home, arguments: tuple[str, ...], sentence: str) -> None:
    done = kernelway("gateways", "add", *arguments, "--force", environ=home.environ)
    assert done.returncode in (1, 2)
    assert sentence in done.stderr
    assert saved(home) == []


def test_every_option_is_kept(home: Home) -> None:
    arguments = (
        *("gateways", "add", "gpu", "https://127.0.0.1:9", "--user", "ada", "--password-env", "GPU_PASSWORD"),
        *("--header", "X-Team=blue", "--header", "X-More=a=b", "--force", "--ca-file", "ca.pem"),
    )
    home.write("ca.pem", "")
    done = kernelway(*arguments, environ=home.environ | {"GPU_PASSWORD": "x"}, cwd=home.work)
    # A file that cannot be used is the person's mistake, and no reason to save the gateway all the same.
    assert done.returncode == 1
    assert f"{home.work / 'ca.pem'} holds no certificate" in done.stderr
    done = kernelway(*arguments[:-2], environ=home.environ | {"GPU_PASSWORD": "x"}, cwd=home.work)
    assert done.returncode == 0, done.stderr
    assert saved(home)[0]["options"] == {
        "baseUrl": "https://127.0.0.1:9",
        "user": "ada",
        "passwordEnv": "GPU_PASSWORD",
        "requestHeaders": {"X-Team": "blue", "X-More": "a=b"},
    }
