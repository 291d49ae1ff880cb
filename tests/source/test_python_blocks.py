"""Python's own blocks: what runs for a cursor on each row."""

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.source.cursors import annotated, answers

from kernelway.source.python_blocks import DoesNotParse, PythonBlocks

PROGRAMS = {
    "simple lines": """
        0     |import os
        0     |
        2     |x = 1; y = 2  # both
        2     |
        4     |# a comment
        2     |
        6     |z
    """,
    "statements that span rows": '''
        0-2   |x = [1,  # one
        0-2   |# and
        0-2   |     2]
        3-7   |y = """
        3-7   |
        3-7   |text
        3-7   |"""; z = (
        3-7   |)
        8-9   |a = b + \\
        8-9   |    c
        10-12 |(
        10-12 |
        10-12 |d)
        13-14 |f("a"
        13-14 |  "b")
        15-16 |g = 1 \\
        15-16 |
        17    |h
    ''',
    "a function": """
        0-5   |def f(a,
        0-5   |      # of the signature
        0-5   |      b):
        3     |    # of the body
        4     |    x = a
        5     |    return x
        0-5   |
    """,
    "blank rows belong to the suite they stand in": """
        0-7   |def f():
        0-7   |
        2     |    x = 1
        2     |
        4-5   |    for i in x:
        5     |        y
        4-5   |
        7     |    z
        0-7   |
        9     |    # outside, whatever it looks like
        0-7   |
    """,
    "clauses": """
        0-9   |if a:
        1     |    b
        0-9   |
        0-9   |# between
        4     |    # within
        0-9   |elif c:
        6     |    d
        0-9   |elif d: e
        0-9   |else:
        9     |    f
        10-17 |try:
        11    |    a
        10-17 |except (A,
        10-17 |        B):
        14    |    b
        10-17 |else: c
        10-17 |finally:
        17    |    d
        18-21 |while x:
        19    |    y
        18-21 |else:
        21    |    z
    """,
    "else with an if of its own": """
        0-4   |if a:
        1     |    b
        0-4   |else:
        3-4   |    if c:
        4     |        d
    """,
    "match and with": """
        0-5   |match x:
        0-5   |    case 1:
        2     |        a
        0-5   |    case [2,
        0-5   |          3]: b
        0-5   |    case _: c
        6-8   |with (open(a) as b,
        6-8   |      c):
        8     |    d
        9-11  |try:
        10    |    a
        9-11  |except* B: pass
    """,
    "decorators and classes": """
        0-9   |@a
        0-9   |@b(
        0-9   |    1
        0-9   |)
        0-9   |@(
        0-9   |    c
        0-9   |)
        0-9   |class D:
        8-9   |    @property
        8-9   |    def x(self): return 1
        10-11 |async def f():
        11    |    await g()
        12    |await f()
    """,
    "suites in one row": """
        0     |if a: b; c
        1-2   |for i in x: f(
        1-2   |    i)
        3     |def g(): pass
        4     |class H: ...
    """,
    "ipython's rows": """
        0     |%matplotlib inline
        1     |files = !ls *.py
        2     |foo?
        3-5   |if x:
        4     |    !echo "it's (
        5     |    %time y
        6-7   |!ls \\
        6-7   |  -la
        8-9   |z = ("%s"
        8-9   |     % y)
        10    |?z
    """,
    "a cell magic": """
        0     |# A comment
              |
        2-5   |%%bash
        2-5   |for f in *; do
        2-5   |
        2-5   |done
        2-5   |
    """,
    "a broken statement among good ones": """
        0-1   |def good():
        1     |    return 1
        0-1   |
        3     |x = foo(1,
        4     |y = 2
        5-9   |class K:
        6-7   |    def m(self):
        7     |        return [1]
        8-9   |    def bad(self):
        9     |        x = = 1
        10    |z = 3
        11    |if :
        12-14 |w = '''
        12-14 |if :
        12-14 |'''
        15    |w
    """,
    "nothing that is closed": """
        0     |x = 1
        1     |y = (
        2     |z = [
        3-4   |@dec
        3-4   |def f(
        5-6   |import os
        6     |    weird = 1
        5-6   |
        8     |a )
        9     |b
    """,
    "a decorated definition that is broken": """
        0     |a
        1-4   |@b
        1-4   |@c
        1-4   |def d():
        4     |    e = = 1
        5     |f
    """,
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_runs_for_a_cursor_on_each_row(program: str) -> None:
    text, expected = annotated(PROGRAMS[program])

    assert answers(text, "python") == expected


def blocks_of(text: str, rows: range | None = None) -> PythonBlocks:
    lines = text.split("\n")
    rows = range(len(lines)) if rows is None else rows
    return PythonBlocks(lines, rows, cells=[rows], tolerant=True)


@pytest.mark.parametrize(
    ("text", "top_level"),
    [
        ("", []),
        ("\n# only this\n", []),
        ('"""Docstring."""\nimport a\n\nx', [range(1), range(1, 2), range(3, 4)]),
        ("x; y\nz", [range(1), range(1, 2)]),
        ("x = '''\n'''; y = '''\n'''\nz", [range(3), range(3, 4)]),
        ("if a:\n    b\n# c\nelse:\n    d\n# e\nf", [range(5), range(6, 7)]),
        ("x = 1 \\\n\ny", [range(2), range(2, 3)]),
        ("x = 1  # \\\n\ny", [range(1), range(2, 3)]),
        ("a\nb = = 1\nc", [range(1), range(1, 2), range(2, 3)]),
        ("a\nif x:\nb\nc", [range(1), range(1, 2), range(2, 3), range(3, 4)]),
        ("a\n\ndef f(:\n    x\n\n    y\n\nb", [range(1), range(2, 6), range(7, 8)]),
        ("  a\n  b", [range(1), range(1, 2)]),
        ("'''never closed\na\nb", [range(1), range(1, 2), range(2, 3)]),
        ("x = '\\d'", [range(1)]),
        ("x\0y\nz", [range(1), range(1, 2)]),
        ("'\ud800'\nz", [range(1), range(1, 2)]),
        ("\x0cx\n\x0c\ny", [range(1), range(2, 3)]),
        ("(" * 300 + "\ny", [range(1), range(1, 2)]),
        ("-" * 20_000 + "1", [range(1)]),
    ],
)
def test_top_level_statements(text: str, top_level: list[range]) -> None:
    assert list(blocks_of(text).top_level) == top_level


def test_only_a_tolerant_reading_takes_broken_code() -> None:
    lines = ["x = = 1"]

    with pytest.raises(DoesNotParse):
        PythonBlocks(lines, range(1), cells=[range(1)])


def test_rows_inside_a_suite_are_statements_of_their_own() -> None:
    blocks = blocks_of("def f():\n    # first\n    x = 1\n    if x:\n        y\nz\n  # last", range(1, 7))

    assert list(blocks.top_level) == [range(2, 3), range(3, 5), range(5, 6)]
    assert blocks.at(4) == range(4, 5)


def test_rows_that_are_in_no_cell_hold_no_code() -> None:
    lines = ["a", "prose that (", "b", "%%html", "<it's>", "", "c"]
    blocks = PythonBlocks(lines, range(7), cells=[range(1), range(2, 3), range(3, 6), range(6, 7)])

    assert list(blocks.top_level) == [range(1), range(2, 3), range(3, 5), range(6, 7)]


@pytest.mark.parametrize(
    ("rows", "cuts"),
    [(range(5), False), (range(1, 3), False), (range(1, 2), True), (range(2, 4), True), (range(3, 5), False)],
)
def test_rows_may_cut_a_statement(rows: range, cuts: bool) -> None:
    assert blocks_of("a\nif b:\n    c\n\nd").cuts(rows) == cuts


PIECES = [
    "x = 1",
    "if x:",
    "    y",
    "else:",
    "  z",
    "def f(",
    ")",
    '"""',
    "'",
    "@a",
    "%m",
    "f?",
    "\\",
    "",
    "# c",
    ":",
    "[",
]


@given(st.lists(st.sampled_from(PIECES), max_size=25))
@settings(max_examples=300, deadline=None)
def test_blocks_are_in_order_and_hold_their_rows(lines: list[str]) -> None:
    blocks = blocks_of("\n".join(lines)) if lines else blocks_of("")
    ends = [
        0,
        *(edge for block in blocks.top_level for edge in (block.start, block.stop)),
        max(len(lines), 1),
    ]

    assert ends == sorted(ends)
    assert all(blocks.top_level)
    for row, line in enumerate(lines):
        at = blocks.at(row)
        assert (at is None and not line) or (at is not None and (row in at or (not line and at.stop <= row)))


GOOD = [
    "import os",
    "x = [1,\n     2]",
    "def f():\n    return 1",
    "'''\ntext\n'''",
    "for i in x:\n    y\nelse:\n    z",
]
BROKEN = [
    "x = = 1",
    "f(1,",
    "class :\n    pass",
    "if x",
    "def f(:\n    y",
    "x = ]",
    "else:\n    y",
    "return )",
]


@given(
    st.lists(st.sampled_from(GOOD), max_size=6),
    st.sampled_from(BROKEN),
    st.lists(st.sampled_from(GOOD), max_size=6),
)
@settings(deadline=None)
def test_a_broken_statement_leaves_the_others_whole(before: list[str], broken: str, after: list[str]) -> None:
    text = "\n".join([*before, broken, *after])
    lines = text.split("\n")
    pieces = ["\n".join(lines[block.start : block.stop]) for block in blocks_of(text).top_level]

    # A clause without its statement may join the one above it, which then cannot be whole.
    whole = before[:-1] if broken.startswith("else") else before
    assert pieces[: len(whole)] == whole
    assert pieces[len(pieces) - len(after) :] == after


@pytest.mark.timeout(60)
@pytest.mark.parametrize("broken", ["", "def broken(:"])
def test_twenty_thousand_rows_are_read(broken: str) -> None:
    body = "    '''Text.'''\n    for i in range(a):\n        print(i, [b])\n    return a\n\n"
    function = "def f{}(a, b=(1, 2)):\n" + body
    text = "".join(function.format(number) for number in range(3_400)) + broken
    blocks = blocks_of(text)
    rows = [blocks.at(row) for row in range(0, 20_000, 500)]

    assert len(blocks.top_level) == 3_400 + bool(broken)
    assert all(rows)


@given(st.text())
@settings(deadline=None)
def test_any_text_has_blocks(text: str) -> None:
    blocks = blocks_of(text.replace("\r", "\n"))

    try:
        statements = len(ast.parse(text.replace("\r", "\n")).body)
    except (SyntaxError, ValueError):
        return
    assert len(blocks.top_level) <= statements
    assert bool(blocks.top_level) == bool(statements)
