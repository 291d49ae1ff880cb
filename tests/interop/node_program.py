"""Programs for Node in a folder of their own, with a package.json, a package-lock.json and a run.mjs."""

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

INSTALL_SECONDS = 200
RUN_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Scenario:
    """One JSON line on the standard output of a program."""

    name: str
    ok: bool
    detail: object


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """A program that has ended: its scenarios in order, and everything it wrote, for people to read."""

    scenarios: tuple[Scenario, ...]
    exit_status: int
    output: str


def install(folder: Path) -> None:
    """Put the packages of the lock file into node_modules, unless they are there: that needs no network."""
    lock = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".installed-lock-sha256"
    if stamp.is_file() and stamp.read_text() == lock:
        return
    npm = shutil.which("npm")
    assert npm, "node is on PATH, but npm is not: install npm as well"
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, encoding="utf-8", timeout=INSTALL_SECONDS, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)} failed in {folder}\n{done.stdout}{done.stderr}"
    stamp.write_text(lock)


def run(folder: Path, **options: str) -> ProgramRun:
    """Run the program with the options (base_url becomes --base-url) and kill it at the deadline."""
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    process = subprocess.Popen(
        ["node", "run.mjs", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        lines, log = process.communicate(timeout=RUN_SECONDS)
        end = f"exit status {process.returncode}"
    except subprocess.TimeoutExpired:
        process.kill()
        lines, log = process.communicate()
        end = f"killed after {RUN_SECONDS} s"
    return ProgramRun(
        scenarios=tuple(_scenario(line) for line in lines.splitlines()),
        exit_status=process.returncode,
        output=f"--- node {folder.name}/run.mjs: {end}\n{lines}--- what the library logged\n{log}",
    )


def _scenario(line: str) -> Scenario:
    fields = json.loads(line)
    return Scenario(name=fields["scenario"], ok=fields["ok"], detail=fields["detail"])
