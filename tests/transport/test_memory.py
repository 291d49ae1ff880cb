"""What is freed does not stay with the process, after large messages too."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_LARGE = 24 << 20

_PROGRAM = f"""
import ctypes
from kernelway.transport.memory import give_back_large_pieces

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

call = ctypes.CDLL(None)
call.malloc.restype, call.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
call.free.argtypes = [ctypes.c_void_p]
if {{told}}:
    give_back_large_pieces()
before = resident()
for _ in range(4):
    # Something small is allocated behind each large piece, and stays.
    large = call.malloc({_LARGE})
    ctypes.memset(large, 1, {_LARGE})
    small = call.malloc(200_000)
    call.free(large)
print(resident() - before)
"""


def grown(*, told: bool) -> int:
    """Bytes that a process has more after it freed large pieces."""
    program = [sys.executable, "-c", _PROGRAM.format(told=told)]
    done = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="Only the GNU C library is told anything.")
def test_large_pieces_go_back_as_soon_as_they_are_freed() -> None:
    assert grown(told=True) < _LARGE // 2
    # Else this shows nothing.
    assert grown(told=False) >= _LARGE // 2
