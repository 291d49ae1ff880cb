"""A notebook server beside two gateways, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.jupyter.notebook_servers import Rig, rig_in, wait_until


@pytest.fixture(scope="session")
def shared_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rig_in(tmp_path_factory.mktemp("rig"), KERNEL_COLOUR="green", MINE_ALONE="1") as rig:
        yield rig


@pytest.fixture
def rig(shared_rig: Rig) -> Iterator[Rig]:
    """The notebook server and the gateways, with no kernel on any; they are ended afterwards."""
    yield shared_rig
    shared_rig.end_all()
    wait_until(lambda: not shared_rig.here.kernels())
