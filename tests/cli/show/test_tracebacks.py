"""Tracebacks with the user's own files and lines."""

from __future__ import annotations

import pytest

from kernelway.cli.show.tracebacks import Origin, lines_of, located, text_of
from kernelway.protocol.execution import Error
from kernelway.source.terminal import plain

HERE = Origin("hello.py", 11)
ORIGINS = {4: HERE, 2: Origin("hello.py", 6)}

# As ipykernel 7 with IPython 9 sends it.
COLOURED = [
    "\x1b[31m---------------------------------------------------------------------------\x1b[39m",
    "\x1b[31mZeroDivisionError\x1b[39m                         Traceback (most recent call last)",
    """\
\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[4]\x1b[39m\x1b[32m, line 1\x1b[39m
\x1b[32m----> \x1b[39m\x1b[32m1\x1b[39m f()
""",
    """\
\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[2]\x1b[39m\x1b[32m, line 2\x1b[39m, in \x1b[36mf\x1b[39m()
\x1b[32m      1\x1b[39m \x1b[38;5;28;01mdef\x1b[39;00m f():
\x1b[32m----> \x1b[39m\x1b[32m2\x1b[39m   \x1b[38;5;28;01mreturn\x1b[39;00m \x1b[32m1\x1b[39m/0
""",
    "\x1b[31mZeroDivisionError\x1b[39m: division by zero",
]
LOCATED = """\
Traceback (most recent call last)
hello.py:12
---> 12 f()

hello.py:8, in f()
      7 def f():
----> 8   return 1/0

ZeroDivisionError: division by zero"""


def bare(error: Error) -> str:
    return "\n".join(plain(line) for line in lines_of(error))


def test_frames_of_the_file_are_put_right() -> None:
    error = located(Error("ZeroDivisionError", "division by zero", COLOURED), ORIGINS, last=HERE)
    assert [line for line in bare(error).split("\n") if line] == [
        line for line in LOCATED.split("\n") if line
    ]


def test_colours_stay() -> None:
    error = located(Error("ZeroDivisionError", "division by zero", COLOURED), ORIGINS, last=HERE)
    assert any("\x1b[31mZeroDivisionError" in line for line in error.traceback)


@pytest.mark.parametrize(
    ("traceback", "expected"),
    [
        # IPython 8.0 and 7.
        ("Input In [4], in <cell line: 1>()\n----> 1 f()", "hello.py, in <cell line: 1>()\n---> 12 f()"),
        ("<ipython-input-4-0123abc> in <module>\n----> 1 f()", "hello.py in <module>\n---> 12 f()"),
        # What other clients sent, and files of the kernel, keep their numbers.
        ("Cell In[9], line 1\n----> 1 g()", "Cell In[9], line 1\n----> 1 g()"),
        (
            "Cell In[4], line 1\n----> 1 f()\nFile ~/lib.py:3, in f()\n      2 def f():\n----> 3     raise",
            "hello.py:12\n---> 12 f()\nFile ~/lib.py:3, in f()\n      2 def f():\n----> 3     raise",
        ),
        ("  Cell In[4], line 3\n    x = = 1\n        ^\n", "  hello.py:14\n    x = = 1\n        ^"),
        # Text that only looks like a numbered line, outside of any frame of ours.
        ("1 of many", "1 of many"),
    ],
)
def test_frames_of_every_form(traceback: str, expected: str) -> None:
    error = located(Error("E", "v", [traceback]), ORIGINS, last=HERE)
    assert bare(error) == expected


def test_numbers_stay_aligned_where_they_grow() -> None:
    far = {4: Origin("long.py", 9_998)}
    frame = "Cell In[4], line 2\n      1 a\n----> 2 b\n      3 c"
    assert bare(located(Error("E", "v", [frame]), far, last=None)).split("\n")[1:] == [
        "   9999 a",
        "-> 10000 b",
        "  10001 c",
    ]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SyntaxError", "invalid syntax (3218543084.py, line 1)", "invalid syntax (hello.py, line 12)"),
        ("IndentationError", "unexpected indent (<string>, line 2)", "unexpected indent (hello.py, line 13)"),
        ("ValueError", "odd (file, line 1)", "odd (file, line 1)"),
    ],
)
def test_a_syntax_error_names_the_file(name: str, value: str, expected: str) -> None:
    assert located(Error(name, value), {}, last=HERE).value == expected


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Error("NameError", "name 'x' is not defined"), "NameError: name 'x' is not defined"),
        (Error("KeyboardInterrupt", ""), "KeyboardInterrupt"),
        (Error("", "exit status 2"), "exit status 2"),
        (Error("", ""), "error"),
    ],
)
def test_an_error_in_one_line(error: Error, text: str) -> None:
    assert text_of(error) == text
    assert list(lines_of(error)) == [text]
