"""One run: the chosen scenarios on the chosen sides, and what else a reader needs to judge it."""

from __future__ import annotations

import asyncio
import datetime as dt
import importlib.metadata
import os
import platform
import resource
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.status import Status

from benchmarks import peers, sides
from benchmarks.growing import run_growth
from benchmarks.results import GrowthResult, Report, ScenarioResult
from benchmarks.rounds import HASTE, LEISURE, Pace, run_scenario
from benchmarks.running import RunningSides
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.growth import Growth, all_growth
from benchmarks.scenarios.scenario import Scenario, Sizes
from benchmarks.workspace import new_workspace

_PACKAGES = (
    *("kernelway", "aiohttp", "uvloop", "pyzmq", "jupyter_client", "ipykernel", "ipython"),
    "jupyter_server",
)

_LEISURE_ENDS = 330.0
"""Seconds after the start; the whole is to take less than ten minutes on two cores."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to run."""

    scenarios: Sequence[str]
    sides: Sequence[str]
    sizes: Sizes
    rounds: int | None
    """For every scenario, instead of its own number."""
    careful: bool
    """Whether to warm up before anything counts, and to measure when little else runs."""


class Comparison:
    """Runs what was chosen; each scenario says on the console that it is done, and what it is doing."""

    def __init__(self, choice: Choice, console: Console) -> None:
        self._choice = choice
        self._console = console
        self._began = time.monotonic()
        self._pace = LEISURE
        self._scenarios = [each for each in all_scenarios(choice.sizes) if each.name in choice.scenarios]
        self._growth = [each for each in all_growth(choice.sizes) if each.name in choice.scenarios]

    async def run(self) -> Report:
        """Everything, in one workspace; leftovers are killed and named."""
        self._began = time.monotonic()
        _raise_descriptor_limit()
        versions = {"python": platform.python_version()} | {
            name: importlib.metadata.version(name) for name in _PACKAGES
        }
        peers_python = None
        if any(sides.needs_peers(name) for name in self._used()):
            peers_python = await peers.ensure(self._console)
            versions |= {f"{name} (peers)": version for name, version in (await peers.versions()).items()}
        task = asyncio.current_task()
        assert task is not None
        # The servers are in sessions of their own: whoever ends this process would leave them behind.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with new_workspace() as workspace:
            running = RunningSides(workspace, peers_python)
            try:
                scenarios, growth = await self._compare(running)
            finally:
                await running.stop()
                if killed := workspace.end_strays():
                    self._console.print(f"Had to kill what was left behind: {killed}", style="bold red")
        scenarios += [row for grown in growth for row in _rows(grown)]
        seconds = time.monotonic() - self._began
        return Report(_now(), seconds, _machine(), versions, tuple(scenarios), tuple(growth))

    def _used(self) -> set[str]:
        everything: list[Scenario | Growth] = [*self._scenarios, *self._growth]
        return {name for each in everything for name in self._taking_part(each)}

    def _taking_part(self, work: Scenario | Growth) -> list[str]:
        return [name for name in work.sides if name in self._choice.sides]

    async def _compare(self, running: RunningSides) -> tuple[list[ScenarioResult], list[GrowthResult]]:
        with self._console.status("") as status:
            scenarios = [
                await self._measure(scenario, running, status)
                for scenario in self._scenarios
                if self._taking_part(scenario)
            ]
            growth = [
                await self._grow(each, running, status) for each in self._growth if self._taking_part(each)
            ]
        return scenarios, growth

    async def _measure(self, scenario: Scenario, running: RunningSides, status: Status) -> ScenarioResult:
        with self._told(scenario.name):
            names = self._taking_part(scenario)
            return await run_scenario(
                scenario,
                await (running.stopped(names) if scenario.fresh else running.started(names)),
                rounds=self._choice.rounds or scenario.rounds,
                pace=self._next_pace(),
                careful=self._choice.careful,
                say=lambda text: status.update(f"{scenario.name}: {text}"),
            )

    async def _grow(self, growth: Growth, running: RunningSides, status: Status) -> GrowthResult:
        with self._told(growth.name):
            names = self._taking_part(growth)
            return await run_growth(
                growth,
                await (running.stopped(names) if growth.alone else running.started(names)),
                rounds=self._choice.rounds or growth.rounds,
                pace=self._next_pace(),
                careful=self._choice.careful,
                say=lambda text: status.update(f"{growth.name}: {text}"),
            )

    def _next_pace(self) -> Pace:
        """On a machine that is slow, or busy with something else, what comes late is measured less often."""
        if self._pace is LEISURE and time.monotonic() - self._began > _LEISURE_ENDS:
            self._console.print("This takes long: fewer rounds from here on.")
            self._pace = HASTE
        return self._pace

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Say what is done and how long it took; where no line can be changed, also that it begins."""
        began = time.monotonic()
        if not self._console.is_terminal:
            self._console.print(f"{name} …")
        yield
        self._console.print(f"{name}: {time.monotonic() - began:.0f} s")


def _rows(grown: GrowthResult) -> Iterator[ScenarioResult]:
    """What of a growth stands in the tables too."""
    points = [point.at for point in grown.points]
    if grown.name == "kernels":
        title = f"round trip to one kernel with {points[-1]} there, as a multiple of that with {points[0]}"
        yield grown.last_over_first("kernels", title)
    elif grown.name == "clients":
        at = 100 if 100 in points else points[-1]
        yield grown.at(at, "clients", f"{at} clients of one kernel: {grown.title}")


def _raise_descriptor_limit() -> None:
    """As far as it goes: hundreds of kernels and sockets need thousands of descriptors, in every process."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _machine() -> dict[str, str]:
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": f"{_processor_name()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.0f} GB",
    }


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
