from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kernelway.client.lock import exclusive
from kernelway.protocol.errors import ConfigError

HOLD = """
import sys
from pathlib import Path
from kernelway.client.lock import exclusive

with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_waited_for_and_told_of_at_the_deadline(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(ConfigError, match=f"Another process holds {path}"),
            exclusive(path, deadline=0.05),
        ):
            pass
        holder.kill()
        with exclusive(path, deadline=10):
            assert path.exists()


def test_the_lock_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "lock", deadline=0):
            pass
