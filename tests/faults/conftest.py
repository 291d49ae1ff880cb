"""Whether the faults are those of every test run or the long ones, and the figures that they leave.

``pytest tests/faults --long`` runs the scenarios at their full length and prints a table of what was
measured. Without it each is short, for every run of the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.faults.serving import Serving, write_small_kernelspec

_FIGURE = "figure"

Note = Callable[[str, object], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="Run the scenarios of tests/faults at full length.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("long", default=False):
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.timeout(1200))


@pytest.fixture(scope="session")
def long(pytestconfig: pytest.Config) -> bool:
    """Whether this run is the long one, which measures."""
    return bool(pytestconfig.getoption("long", default=False))


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Notes a figure for the table, by what it is."""

    def note(what: str, figure: object) -> None:
        request.node.user_properties.append((_FIGURE, [request.node.name, what, str(figure)]))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("long", default=False):
        return
    terminalreporter.section("figures for docs/reliability.md")
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for kind, row in report.user_properties:
                    if kind == _FIGURE:
                        terminalreporter.write_line("{:<70} {:<55} {}".format(*row))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for ``kernelway serve``, in which the kernelspec ``small`` is installed."""
    write_small_kernelspec(tmp_path)
    return tmp_path


@pytest.fixture
def serving(home: Path) -> Serving:
    """How ``kernelway serve`` is run in that folder; enter :meth:`Serving.running`."""
    return Serving(home)
