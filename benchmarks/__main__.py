"""``python -m benchmarks``: run the comparison and print it."""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import uvloop
from rich.console import Console

from benchmarks import peers, servers, tables
from benchmarks.bare import BareSide
from benchmarks.exchange import Shortfall, Side
from benchmarks.results import Report, ScenarioResult, encode_report
from benchmarks.rounds import run_scenario
from benchmarks.scenarios import FULL, TINY, Scenario, all_scenarios
from benchmarks.workspace import Workspace, new_workspace

_SIDES = ("bare", "kernelway", "kernelway_no_journal", "jupyter_server", "kernel_gateway")
_OWN = {"kernelway": servers.kernelway_command, "kernelway_no_journal": servers.unjournalled_command}
_PEERS = {"jupyter_server", "kernel_gateway"}
_PACKAGES = ("kernelway", "aiohttp", "uvloop", "pyzmq", "jupyter_client", "ipykernel", "ipython")


def main() -> int:
    """Run, print, write what was asked for; 1 if Kernelway or the bare client never did a scenario's work."""
    options = _parser().parse_args()
    console = Console(stderr=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            report = runner.run(_run(options, console))
        except (servers.ServerFailed, peers.PeersMissing, Shortfall) as error:
            console.print(str(error), markup=False, highlight=False, soft_wrap=True)
            return 1
        except KeyboardInterrupt:
            return 130
    Console(width=None if sys.stdout.isatty() else 160).print(tables.terminal_table(report))
    for scenario in report.scenarios:
        line = f"{scenario.name}: {tables.caption(scenario)}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if doubt := tables.warning(report):
        console.print(doubt)
    if options.json:
        options.json.write_bytes(encode_report(report))
    if options.markdown:
        options.markdown.write_text(tables.markdown_page(report), encoding="utf-8")
    return int(
        any(
            not side.values and side.side not in _PEERS
            for scenario in report.scenarios
            for side in scenario.sides
        )
    )


def _parser() -> argparse.ArgumentParser:
    names = [scenario.name for scenario in all_scenarios(FULL)]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAMES", type=partial(_subset, names), default=names)
    parser.add_argument("--sides", metavar="NAMES", type=partial(_subset, _SIDES), default=list(_SIDES))
    parser.add_argument("--rounds", type=_positive, help="for every scenario, instead of its own number")
    parser.add_argument("--tiny", action="store_true", help="one round of almost no work: does it still run?")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every value and ratio")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write a page for readers")
    return parser


def _subset(names: Sequence[str], text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := [name for name in chosen if name not in names]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(names)}")
    return [name for name in names if name in chosen]


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rounds: 1 or more")
    return int(text)


async def _run(options: argparse.Namespace, console: Console) -> Report:
    versions = {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in _PACKAGES
    }
    peers_python = None
    if _PEERS & set(options.sides):
        peers_python = await peers.ensure(console)
        versions |= {f"{name} (peers)": version for name, version in (await peers.versions()).items()}
    scenarios = [
        scenario
        for scenario in all_scenarios(TINY if options.tiny else FULL)
        if scenario.name in options.only
    ]
    with new_workspace() as workspace:
        try:
            sides = [_side(name, workspace, peers_python) for name in options.sides]
            results = await _compare(scenarios, sides, options, console)
        finally:
            killed = workspace.end_strays()
            if killed:
                console.print(f"Had to kill processes that were left behind: {killed}", style="bold red")
    return Report(_now(), _machine(), versions, tuple(results))


def _side(name: str, workspace: Workspace, peers_python: Path | None) -> Side:
    if name == "bare":
        return BareSide(workspace)
    if name in _OWN:
        return servers.ServerSide(name, _OWN[name], workspace)
    if peers_python is None:
        raise peers.PeersMissing(f"The environment for {name} has not been made.")
    commands = {
        "jupyter_server": servers.jupyter_server_command,
        "kernel_gateway": servers.kernel_gateway_command,
    }
    return servers.ServerSide(name, partial(commands[name], peers_python), workspace)


async def _compare(
    scenarios: Sequence[Scenario], sides: Sequence[Side], options: argparse.Namespace, console: Console
) -> list[ScenarioResult]:
    results = []
    async with AsyncExitStack() as stack:
        for side in sides:
            stack.push_async_callback(side.stop)
            await side.start()
        with console.status("") as status:
            for scenario in scenarios:
                rounds = options.rounds or (1 if options.tiny else scenario.rounds)
                began = time.monotonic()
                result = await run_scenario(
                    scenario, sides, rounds=rounds, settle=not options.tiny, say=status.update
                )
                console.print(f"{scenario.name}: {time.monotonic() - began:.0f} s")
                results.append(result)
    return results


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


if __name__ == "__main__":
    sys.exit(main())
