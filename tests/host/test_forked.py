"""A forked kernel beside one that was started by command: what code in them can tell of the difference."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tests.host.both_starts import told_by_both

_TEXT = Path(__file__).with_name("telling_cells.txt").read_text()

CELLS = dict(re.findall(r"^# %% (.+)\n((?:(?!# %% ).*\n)*)", _TEXT, re.MULTILINE))

STARTUP = "import os; startup, startup_pid = os.environ['MINE'], os.getpid()"

CONFIG = "c.InteractiveShell.ast_node_interactivity = 'last_expr_or_assign'"

Told = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What each cell shows in a kernel of each kind, in an IPython profile with files of its own."""
    folder = tmp_path_factory.mktemp("profile")
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "1.py").write_text(STARTUP)
    (startup.parent / "ipython_config.py").write_text(CONFIG)
    return told_by_both(CELLS, folder, environ={**os.environ, "IPYTHONDIR": str(folder)})


@pytest.mark.parametrize("name", [name for name in CELLS if name != "preparation"])
def test_code_finds_the_same_in_both(told: Told, name: str) -> None:
    assert told[name]["plain"]
    assert told[name]["forked"] == told[name]["plain"]
    assert ("Traceback" in told[name]["plain"]) == (name == "an error"), told[name]["plain"]
