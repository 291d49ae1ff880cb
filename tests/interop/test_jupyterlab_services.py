"""@jupyterlab/services, the client inside JupyterLab and Notebook, and its version inside Hydrogen.

What the client does and expects is written in services/areas/*.mjs and services_052/run.mjs.
"""

import shutil
from pathlib import Path

import pytest

from .conftest import GatewayServer
from .node_program import ProgramRun, install, run

SERVICES = Path(__file__).parent / "services"
SERVICES_052 = Path(__file__).parent / "services_052"

AREAS = sorted(path.stem for path in (SERVICES / "areas").glob("*.mjs"))
BELOW = "/user/ana/"
CONFIGURATIONS = [
    # Base URL, WebSocket protocol, token of the WebSocket request: every two choices meet once.
    ("/", "v1", "url"),
    ("/", "default", "header"),
    (BELOW, "v1", "header"),
    (BELOW, "default", "url"),
]

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not on PATH"),
    pytest.mark.timeout(300),
]


@pytest.mark.parametrize(
    ("gateway_server", "protocol", "token_placement"),
    CONFIGURATIONS,
    indirect=["gateway_server"],
    scope="module",
)
def test_jupyterlab(
    gateway_server: GatewayServer,
    protocol: str,
    token_placement: str,
    subtests: pytest.Subtests,
) -> None:
    install(SERVICES)
    program = run(
        SERVICES,
        areas=",".join(AREAS),
        base_url=gateway_server.url,
        token=gateway_server.token,
        protocol=protocol,
        token_placement=token_placement,
    )
    names = [scenario.name for scenario in program.scenarios]
    for area in AREAS:
        assert names.count(f"{area}: every WebSocket was closed by both sides") == 1, program.output
    check(program, gateway_server, subtests)


@pytest.mark.parametrize("gateway_server", ["/", BELOW], indirect=True)
def test_hydrogen(gateway_server: GatewayServer, subtests: pytest.Subtests) -> None:
    install(SERVICES_052)
    program = run(SERVICES_052, base_url=gateway_server.url, token=gateway_server.token)
    check(program, gateway_server, subtests)


def check(program: ProgramRun, server: GatewayServer, subtests: pytest.Subtests) -> None:
    """Fail for every scenario that failed, and then once more with all that was written meanwhile."""
    for scenario in program.scenarios:
        with subtests.test(scenario.name):
            assert scenario.ok, scenario.detail
    finished = program.exit_status == 0 and len(program.scenarios) > 1
    assert finished, "\n".join([program.output, "--- what the server logged lately", *server.log])
