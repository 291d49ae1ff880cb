"""``python -m benchmarks``: run the comparison and print it."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import uvloop
from rich.console import Console

from benchmarks import peers, servers, sides, tables
from benchmarks.comparison import Choice, Comparison
from benchmarks.exchange import Shortfall
from benchmarks.pages import write_pages
from benchmarks.results import Report, encode_report
from benchmarks.scenarios import all_scenarios
from benchmarks.scenarios.growth import all_growth
from benchmarks.scenarios.scenario import FULL, TINY


def main() -> int:
    """Run, print, write what was asked for; 1 if Kernelway or the bare client never did a scenario's work."""
    options = _parser().parse_args()
    choice = Choice(
        options.only,
        options.sides,
        TINY if options.tiny else FULL,
        1 if options.tiny else options.rounds,
        not options.tiny,
    )
    console = Console(stderr=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            report = runner.run(Comparison(choice, console).run())
        except (servers.ServerFailed, peers.PeersMissing, Shortfall) as error:
            console.print(str(error), markup=False, highlight=False, soft_wrap=True)
            return 1
        except KeyboardInterrupt:
            return 130
        except asyncio.CancelledError:
            return 143
    _print(report)
    if options.json:
        options.json.write_bytes(encode_report(report))
    if options.pages:
        write_pages(report, options.pages)
    return int(_failed(report))


def _print(report: Report) -> None:
    console = Console(width=None if sys.stdout.isatty() else 160)
    if report.scenarios:
        console.print(tables.terminal_table(report))
    for growth in report.growth:
        console.print(tables.growth_table(growth))
    for scenario in report.scenarios:
        line = f"{scenario.name}: {tables.caption(scenario)}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if doubt := tables.warning(report):
        console.print(doubt)


def _failed(report: Report) -> bool:
    results = [side for scenario in report.scenarios for side in scenario.sides]
    results += [side for growth in report.growth for point in growth.points for side in point.sides]
    return any(not side.values and not sides.needs_peers(side.side) for side in results)


def _parser() -> argparse.ArgumentParser:
    names = [each.name for each in all_scenarios(FULL)] + [each.name for each in all_growth(FULL)]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAMES", type=partial(_family, names), default=names)
    known = list(sides.ABOUT)
    parser.add_argument("--sides", metavar="NAMES", type=partial(_subset, known), default=known)
    parser.add_argument("--rounds", type=_positive, help="for every scenario, instead of its own number")
    parser.add_argument("--tiny", action="store_true", help="one round of almost no work: does it still run?")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every value and ratio")
    parser.add_argument(
        "--pages", metavar="FOLDER", type=Path, help="write benchmarks.md, growth.md and their plots into it"
    )
    return parser


def _subset(names: Sequence[str], text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := [name for name in chosen if name not in names]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(names)}")
    return [name for name in names if name in chosen]


def _family(names: Sequence[str], text: str) -> list[str]:
    """A name is also that of all that begin with it: run and run_new."""
    members = [
        [name for name in names if name == chosen or name.startswith(f"{chosen}_")] or [chosen]
        for chosen in text.split(",")
    ]
    return _subset(names, ",".join(name for family in members for name in family))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rounds: 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
