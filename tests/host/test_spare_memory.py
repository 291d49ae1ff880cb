"""Whether there is memory for a kernel that nobody has asked for yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.host.spare_memory import Memory, allows_another, read_memories

MIB = 1 << 20
GIB = 1 << 30

MEMINFO = """MemTotal:        4194304 kB
MemFree:          100000 kB
MemAvailable:    2097152 kB
HugePages_Total:       0
"""


def files(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = root / name.replace("__", "/").replace("_of_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("memory", "allows"),
    [
        (Memory(16 * GIB, 8 * GIB), True),
        (Memory(16 * GIB, 16 * GIB // 10 + 128 * MIB), True),
        (Memory(16 * GIB, 16 * GIB // 10 + 127 * MIB), False),
        (Memory(1 * GIB, 384 * MIB), True),
        (Memory(1 * GIB, 383 * MIB), False),
        (Memory(1 * GIB, -5 * MIB), False),
    ],
)
def test_enough_has_to_be_left_for_others(memory: Memory, *, allows: bool) -> None:
    assert allows_another([memory]) is allows


def test_where_nothing_is_known_nothing_stands_in_the_way() -> None:
    assert allows_another([])


@given(st.lists(st.builds(Memory, st.integers(0, 64 * GIB), st.integers(-GIB, 64 * GIB)), min_size=1))
def test_the_scarcest_decides(memories: list[Memory]) -> None:
    assert allows_another(memories) == all(allows_another([each]) for each in memories)


def test_the_machines_memory(tmp_path: Path) -> None:
    files(tmp_path, proc__meminfo=MEMINFO)
    assert read_memories(tmp_path) == [Memory(4 * GIB, 2 * GIB)]


def test_the_limits_of_all_groups_around_it(tmp_path: Path) -> None:
    files(
        tmp_path,
        proc__meminfo=MEMINFO,
        proc__self__cgroup="0::/user/service\n",
        sys__fs__cgroup__user__service__memory_of_max="1073741824\n",
        sys__fs__cgroup__user__service__memory_of_current="536870912\n",
        sys__fs__cgroup__user__service__memory_of_stat="anon 5\ninactive_file 1048576\nslab 7\n",
        sys__fs__cgroup__user__memory_of_max="max\n",
        sys__fs__cgroup__user__memory_of_current="536870912\n",
    )
    assert read_memories(tmp_path) == [Memory(4 * GIB, 2 * GIB), Memory(GIB, 513 * MIB)]


def test_in_a_container_its_own_group_is_at_the_top(tmp_path: Path) -> None:
    files(
        tmp_path,
        proc__self__cgroup="0::/kubepods/pod1/c1\n",
        sys__fs__cgroup__memory_of_max="1073741824",
        sys__fs__cgroup__memory_of_current="1073741824",
    )
    assert read_memories(tmp_path) == [Memory(GIB, 0)]


def test_groups_of_the_first_version(tmp_path: Path) -> None:
    files(
        tmp_path,
        proc__self__cgroup="5:cpu,cpuacct:/x\n4:memory:/docker/c1\n1:name=systemd:/x\n",
        sys__fs__cgroup__memory__docker__c1__memory_of_limit_in_bytes="1073741824",
        sys__fs__cgroup__memory__docker__c1__memory_of_usage_in_bytes="0",
        sys__fs__cgroup__memory__memory_of_limit_in_bytes="9223372036854771712",
        sys__fs__cgroup__memory__memory_of_usage_in_bytes="0",
    )
    assert read_memories(tmp_path) == [Memory(GIB, GIB)]


def test_this_machine_tells() -> None:
    assert all(memory.total > 0 for memory in read_memories())
