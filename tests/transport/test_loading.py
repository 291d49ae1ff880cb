"""aiohttp is loaded without certificates, and nothing else goes without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme

_PROGRAM = """
import json, ssl
{before}
from kernelway.transport.loading import load_aiohttp
load_aiohttp()
import aiohttp.connector as connector
ours = connector._SSL_CONTEXT_VERIFIED
print(json.dumps({{
    "aiohttp": len(ours.get_ca_certs()),
    "checks": ours.verify_mode is ssl.CERT_REQUIRED and ours.check_hostname,
    "others": len(ssl.create_default_context().get_ca_certs()),
    "as it was": "set_default_verify_paths" not in vars(ssl.SSLContext),
}}))
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that trusts one authority."""
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(authority)
    return {**os.environ, "SSL_CERT_FILE": str(authority), "SSL_CERT_DIR": str(tmp_path / "none")}


def told(environ: dict[str, str], *, before: str = "") -> dict[str, Any]:
    """What a process of its own sees."""
    command = [sys.executable, "-c", _PROGRAM.format(before=before)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def test_its_default_contexts_trust_nobody_and_all_others_whom_they_should(environ: dict[str, str]) -> None:
    assert told(environ) == {"aiohttp": 0, "checks": True, "others": 1, "as it was": True}


def test_where_it_is_loaded_already_its_contexts_are_left_as_they_are(environ: dict[str, str]) -> None:
    assert told(environ, before="import aiohttp")["aiohttp"] == 1
