"""``kernelway gateways``: listed, checked and removed."""

from __future__ import annotations

import json

import pytest
from tests.cli.conftest import Home, Served
from tests.cli.console import console, kernelway

from kernelway.cli.gateways import credentials

DEAD = {"baseUrl": "http://127.0.0.1:9", "tokenEnv": "DEAD_TOKEN"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "none"),
        ({"token": "sesame"}, "token"),
        ({"tokenEnv": "GPU_TOKEN"}, "token from $GPU_TOKEN"),
        ({"tokenKeyring": "jupyter"}, "token from the keyring"),
        ({"user": "ada", "password": "sesame"}, "password"),
        ({"passwordEnv": "PASSWORD"}, "password from $PASSWORD"),
        ({"requestHeaders": {"authorization": "Basic sesame"}}, "header"),
        ({"requestHeaders": {"X-Team": "blue"}}, "none"),
        ({"token": "sesame", "clientCert": "/a.pem"}, "token, certificate"),
    ],
)
def test_credentials_are_told_in_words(options: dict[str, object], words: str) -> None:
    assert credentials(options) == words


def test_one_that_is_down_does_not_hide_the_others(home: Home, served: Served) -> None:
    home.save(dead=DEAD, gpu=served.options, slow={"baseUrl": "http://127.0.0.1:9"})
    done = kernelway("gateways", environ=home.environ | {"DEAD_TOKEN": "x"})
    assert (done.returncode, done.stderr) == (0, "")
    heading, dead, gpu, _ = done.stdout.splitlines()
    assert heading.split() == ["name", "url", "credentials", "state"]
    assert dead.startswith("dead ")
    assert "token from $DEAD_TOKEN" in dead
    assert "✗ Nobody listens at http://127.0.0.1:9: start the server, or check the port." in dead
    assert gpu.startswith(f"gpu   {served.url}")
    assert "✓ kernelway 0" in gpu
    assert served.token not in done.stdout
    assert gpu.index("token") == heading.index("credentials")


def test_a_secret_that_is_missing_is_the_problem_of_its_gateway_alone(home: Home, served: Served) -> None:
    home.save(dead=DEAD, gpu=served.options)
    done = kernelway("gateways", "list", "--json", environ=home.environ)
    dead, gpu = json.loads(done.stdout)
    assert "DEAD_TOKEN, which is not set" in dead["error"]
    assert gpu["error"] is None
    assert gpu["server"]["kind"] == "kernelway"
    assert gpu | {"server": 0} == {
        "name": "gpu",
        "url": served.url,
        "credentials": "token",
        "server": 0,
        "error": None,
    }


def test_with_none_saved_it_says_how_to_add_one(home: Home) -> None:
    done = kernelway("gateways", environ=home.environ)
    assert done.returncode == 0
    assert "`kernelway gateways add NAME URL` adds one." in done.stdout
    assert kernelway("gateways", "--json", environ=home.environ).stdout == "[]\n"


def test_a_file_that_others_can_read_is_told_of(home: Home) -> None:
    home.save(dead=DEAD)
    home.gateways.chmod(0o644)
    done = kernelway("gateways", environ=home.environ | {"DEAD_TOKEN": "x"})
    assert "has mode 0644" in done.stderr


def test_the_list_fits_on_a_terminal(home: Home, served: Served) -> None:
    home.save(gpu=served.options, dead={"baseUrl": "http://127.0.0.1:9"})
    with console("gateways", environ=home.environ, columns=72) as shown:
        assert shown.wait() == 0
    assert shown.screen.lines[0].split() == ["name", "url", "credentials", "state"]
    states = "".join(line[shown.screen.lines[0].index("state") :] for line in shown.screen.lines[2:])
    assert "".join(states.split()) == "✗Nobodylistensathttp://127.0.0.1:9:starttheserver,orchecktheport."


def test_check_says_it_in_sentences(home: Home, served: Served) -> None:
    home.save(gpu=served.options)
    done = kernelway("gateways", "check", "gpu", environ=home.environ)
    assert done.returncode == 0
    assert done.stdout.startswith("gpu is a kernelway 0")
    assert f"at {served.url}, and lets us in.\n" in done.stdout
    assert "bash (bash)" in done.stdout
    assert "python3 (python)" in done.stdout


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"token": "wrong"}, "refuses the token"),
        ({}, "asks for a token"),
    ],
)
def test_check_says_what_is_wrong(
    home: Home, served: Served, options: dict[str, object], sentence: str
) -> None:
    home.save(gpu={"baseUrl": served.url, **options})
    done = kernelway("gateways", "check", "gpu", environ=home.environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr


def test_remove(home: Home) -> None:
    home.save(gpu=DEAD, old=DEAD)
    done = kernelway("gateways", "remove", "old", environ=home.environ)
    assert done.stdout == f"Removed old from {home.gateways}. What runs there goes on.\n"
    assert [entry["name"] for entry in json.loads(home.gateways.read_text())] == ["gpu"]
    typo = kernelway("gateways", "remove", "gpx", environ=home.environ)
    assert typo.returncode == 1
    assert "Did you mean 'gpu'?" in typo.stderr
