"""Whether there is memory to spare for a kernel that nobody has asked for yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_KERNEL = 128 << 20
"""More than a kernel takes before it has run anything."""

_LEAST_LEFT = 256 << 20

_SHARE_LEFT = 10
"""One part in so many of the memory is left to others."""

_UNLIMITED = 1 << 60
"""Where cgroups of the first version have no limit, they have a very large one."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of the machine, or of a group of processes with a limit of its own; in bytes."""

    total: int
    available: int


def allows_another(memories: list[Memory]) -> bool:
    """Whether a kernel more leaves enough in each; where nothing is known, it does."""
    return all(
        memory.available - _KERNEL >= max(_LEAST_LEFT, memory.total // _SHARE_LEFT) for memory in memories
    )


def read_memories(root: Path = Path("/")) -> list[Memory]:
    """The machine's memory, and that of each control group around this process that limits it."""
    machine = _machine(_text(root / "proc/meminfo"))
    groups = _groups(root, _text(root / "proc/self/cgroup"))
    return [memory for memory in (machine, *map(_group, groups)) if memory is not None]


def _machine(meminfo: str) -> Memory | None:
    lines = (line.partition(":") for line in meminfo.splitlines())
    fields = {name: int(value.split()[0]) << 10 for name, _, value in lines if value.split()}
    if "MemTotal" not in fields or "MemAvailable" not in fields:
        return None
    return Memory(fields["MemTotal"], fields["MemAvailable"])


def _groups(root: Path, cgroup: str) -> list[Path]:
    """The folders of the groups, innermost first. In a container the path may be one of the machine's."""
    folders = []
    for line in cgroup.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        mount = root / ("sys/fs/cgroup/memory" if controllers else "sys/fs/cgroup")
        inner = mount / path.lstrip("/")
        folders += [inner, *(each for each in inner.parents if each.is_relative_to(mount))]
    return list(dict.fromkeys(folders))


def _group(folder: Path) -> Memory | None:
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        most, taken = _text(folder / limit).strip(), _text(folder / used).strip()
        if most.isdecimal() and taken.isdecimal() and int(most) < _UNLIMITED:
            return Memory(int(most), int(most) - int(taken) + _reclaimable(folder))
    return None


def _reclaimable(folder: Path) -> int:
    """What counts as used, and is given back as soon as somebody needs it: files that were read."""
    lines = (line.split() for line in _text(folder / "memory.stat").splitlines())
    fields = {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdecimal()}
    return fields.get("total_inactive_file", fields.get("inactive_file", 0))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
