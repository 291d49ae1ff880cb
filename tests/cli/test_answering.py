"""Answering what code asks for, at a terminal."""

from __future__ import annotations

from tests.cli.conftest import Home
from tests.cli.console import console


def test_input_and_a_secret(home: Home) -> None:
    home.write(
        "ask.py", "from getpass import getpass\nname = input('Name? ')\nlen(getpass('Secret: '))\nname\n"
    )
    with console("run", "ask.py", environ=home.environ, cwd=home.work) as shown:
        shown.until_text("  │ Name?")
        assert shown.screen.cursor[1] == len("  │ Name? ")
        shown.press("Äda\n")
        shown.until_text("  │ Secret:")
        assert not shown.echoes
        shown.press("hunter2\n")
        assert shown.wait() == 0
    assert shown.screen.lines == [
        "from getpass import getpass    [✓]",
        "name = input('Name? ')         [Name? Äda]",
        "len(getpass('Secret: '))",
        "  │ Secret:",
        "  │ 7",
        "name                           ['Äda']",
    ]
    assert "hunter2" not in shown.raw


def test_the_end_of_input(home: Home) -> None:
    home.write("ask.py", "input('Name? ')\n")
    with console("run", "ask.py", environ=home.environ, cwd=home.work) as shown:
        shown.until_text("  │ Name?")
        shown.press("\x04")
        assert shown.wait() == 1
    assert "EOFError" in shown.screen.text


def test_ctrl_c_while_the_code_asks(home: Home) -> None:
    home.write("ask.py", "from getpass import getpass\ngetpass('Secret: ')\n1\n")
    with console("run", "ask.py", environ=home.environ, cwd=home.work) as shown:
        shown.until_text("  │ Secret:")
        shown.press("\x03")
        assert shown.wait() == 130
        assert shown.echoes
    assert shown.screen.lines[1].startswith("getpass('Secret: ')            [✗ KeyboardInterrupt")
    assert shown.screen.text.count("Secret: ") == 2, "the code and the prompt, each once"
