"""jupyter_kernel_test's suite for ipykernel: what a local kernel passes, one behind the bridge passes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.interop.bridged import DEADLINE, KERNEL, SHUT_DOWN, Machine, machine  # noqa: F401
from tests.interop.kernel_suite import KERNEL_NAME

_SUITE = Path(__file__).with_name("kernel_suite.py")

_PASSED = (
    *("test_clear_output", "test_completion", "test_display_data", "test_error", "test_execute_result"),
    *("test_execute_stderr", "test_execute_stdout", "test_inspect", "test_is_complete", "test_kernel_info"),
    "test_pager",
)

_OUTCOMES = dict.fromkeys(_PASSED, "ok") | {"test_history": "skipped 'History range not supported'"}
"""unittest says of a test that left out one part nothing more; where another part fails, so does all."""


def _outcomes(machine: Machine, kernel: str) -> dict[str, str]:  # noqa: F811 - the fixture's own name.
    done = subprocess.run(
        [sys.executable, _SUITE],
        env=machine.environ | {KERNEL_NAME: kernel},
        cwd=machine.work,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r"^ *(test_\w+) .*\.\.\. (ok|skipped .*)$", done.stderr, re.MULTILINE))


def test_both_pass_alike(machine: Machine) -> None:  # noqa: F811
    assert _outcomes(machine, "python3") == _OUTCOMES
    assert machine.ended() == []
    assert _outcomes(machine, KERNEL) == _OUTCOMES
    assert [each.reason for each in machine.ended()] == [SHUT_DOWN]
