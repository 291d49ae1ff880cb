"""jupyter_server's own tests of kernels, kernelspecs and sessions, against servers with our extension.

Its source, of the version that is installed, comes from the package index and is kept in pytest's cache; its
hash is the one in requirements.lock.
"""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests.support.processes import environ_in

ROOT = Path(__file__).parents[2]
VERSION = importlib.metadata.version("jupyter_server")

FOLDERS = ("kernels", "kernelspecs", "sessions")

OLDER_TORNADO = ("The method, uri, and version arguments", "The start_line argument")
"""Its tests make requests as one no longer should; to them every warning is an error."""

LEAST = 60
"""Tests that are run at least, else most of them were not found."""

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def source(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source of jupyter_server."""
    assert pytestconfig.cache is not None
    place = pytestconfig.cache.mkdir("jupyter_server") / VERSION
    if not place.exists():
        fresh = tmp_path_factory.mktemp("source")
        with tarfile.open(download(fresh)) as archive:
            # The first releases of Python 3.11 know no filters; the hash says what is in it.
            archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
            archive.extractall(fresh)
        (fresh / f"jupyter_server-{VERSION}").rename(place)
    return place


def download(folder: Path) -> Path:
    """Let pip fetch the source and compare its hash."""
    pinned = re.search(
        rf"^jupyter-server=={re.escape(VERSION)}( \\\n +--hash=\S+)+",
        (ROOT / "requirements.lock").read_text(),
        re.MULTILINE,
    )
    assert pinned is not None, f"requirements.lock has another jupyter_server than is installed: {VERSION}"
    requirements = folder / "requirements.txt"
    requirements.write_text(pinned[0] + "\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--retries", "1", "download"),
            *("--quiet", "--no-deps", "--no-binary", "jupyter-server", "--require-hashes"),
            *("--requirement", str(requirements), "--dest", str(folder)),
        ],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert "DO NOT MATCH THE HASHES" not in done.stderr, done.stderr
    if done.returncode:
        pytest.skip(f"There is no source of jupyter_server, and pip cannot fetch it: {done.stderr[-300:]}")
    return folder / f"jupyter_server-{VERSION}.tar.gz"


def test_its_tests_pass_with_our_extension(source: Path, tmp_path: Path) -> None:
    environ = environ_in(tmp_path) | {"PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "with_kernelway", "-p", "no:asyncio"),
            # Most of their time they wait.
            *("-p", "no:cacheprovider", "-o", "addopts=", "-q", "--tb=short", "-n", "4"),
            *(f"-Wignore:{message}:DeprecationWarning" for message in OLDER_TORNADO),
            *(f"--basetemp={tmp_path / 'temporary'}",),
            *(f"tests/services/{folder}" for folder in FOLDERS),
        ],
        cwd=source,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (passed,) = re.findall(r"(\d+) passed", done.stdout)
    assert int(passed) >= LEAST, done.stdout
