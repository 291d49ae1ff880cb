"""What is measured: pieces of work, each of which proves that it was done before its value counts."""

from __future__ import annotations

from benchmarks.scenarios.command import command_scenarios
from benchmarks.scenarios.footprint import footprint_scenarios
from benchmarks.scenarios.messages import message_scenarios
from benchmarks.scenarios.notebook import notebook_scenarios
from benchmarks.scenarios.scenario import Scenario, Sizes
from benchmarks.scenarios.starting import starting_scenarios


def all_scenarios(sizes: Sizes) -> list[Scenario]:
    """The scenarios in the order in which they run."""
    return [
        *starting_scenarios(sizes),
        *message_scenarios(sizes),
        *notebook_scenarios(sizes),
        *footprint_scenarios(sizes),
        *command_scenarios(),
    ]
