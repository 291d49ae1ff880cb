"""Which code runs."""

import ast
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.source.cursors import annotated, answers

from kernelway.source import (
    CellKind,
    Chunk,
    Document,
    Position,
    Selection,
    chunks,
    code_at,
    code_in,
    code_of,
    next_row,
)
from kernelway.source.languages import LANGUAGES

LANGUAGE_NAMES = [language.name for language in LANGUAGES]


def selected(text: str, language: str | None) -> Chunk:
    """What runs for the text between « and », of which the first may also be the end."""
    document = Document(re.sub("[«»]", "", text), language)
    places = {}
    for mark, other in ("«»", "»«"):
        before = text.partition(mark)[0].replace(other, "")
        places[mark] = Position(before.count("\n"), len(before.rpartition("\n")[2]))
    return code_in(document, Selection(places["«"], places["»"]))


SCRIPTS = {
    "cells": (
        "python",
        """
              |
              |# %% First
              |
        3     |x = 1
        3     |
        5-6   |for i in x:
        6     |    y
              |# %% [markdown]
              |
              |# text
              |# %%
              |
              |# %%
        13    |# only a comment
              |
        15    |z
    """,
    ),
    "a broken cell leaves the others alone": (
        "python",
        """
        0-1   |if x:
        1     |    y
              |# %%
        3     |a = '''
        4     |b
              |# %%
        6     |c = = 1
              |# %%
        8-9   |d = (
        8-9   |)
    """,
    ),
    "indented cells": (
        "python",
        """
        0-7   |if main:
              |    # %%
        2     |    x = 1
        3-4   |    for i in x:
        4     |        y
              |    # %%
              |
        7     |    z
    """,
    ),
    "markdown": (
        "markdown",
        """
              |# Title
              |
              |```python
        3-4   |def f():
        4     |    return 1
              |```
              |text
              |  ~~~ {r}
        8-10  |  if (x) {
        9     |    y
        8-10  |  }
              |  ~~~
              |```
              |no language
              |```
              |```julia
        16-18 |if x
        17    |  y
        16-18 |end
    """,
    ),
    "matlab sections": (
        "matlab",
        """
              |%% One
        1     |x = 1;
              |%% Two
        3-5   |if x
        4     |  y
        3-5   |end
    """,
    ),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_runs_for_a_cursor_on_each_row(script: str) -> None:
    language, program = SCRIPTS[script]
    text, expected = annotated(program)

    assert answers(text, language) == expected


@pytest.mark.parametrize(
    ("text", "row", "code"),
    [
        ("def f():\n    x = 1\n", 1, "x = 1"),
        ("def f():\n    for i in x:\n        y\n\n        z\n", 1, "for i in x:\n    y\n\n    z"),
        ("def f():\n\tfor i in x:\n\t\ty", 1, "for i in x:\n\ty"),
        # Rows inside a string keep their text, and rows that stand further out lose no more than they have.
        ("if a:\n    x = '''\n  text\n        more\n    '''", 1, "x = '''\n  text\n        more\n    '''"),
        ("if a:\n    f(\n  1,\n# c\n        2)", 1, "f(\n1,\n# c\n    2)"),
        ("if a:\n    x = 'b\\\n    c'", 1, "x = 'b\\\n    c'"),
        ("if a:\n    # c\n    b", 1, "# c"),
        ("x\r\nif a:\r\n    b\r\n\r\n    c\r\n", 1, "if a:\n    b\n\n    c"),
        ("    x = 1", 0, "x = 1"),
        # A backslash before a blank row joins nothing, and would leave the code without an end.
        ("x = 1 \\\n\ny", 0, "x = 1 "),
    ],
)
def test_code_begins_at_the_margin(text: str, row: int, code: str) -> None:
    assert code_at(Document(text, "python"), row).code == code


def test_a_here_document_keeps_its_margin() -> None:
    document = Document("if a; then\n  cat <<EOF\n  text\nEOF\nfi", "bash")

    assert code_at(document, 1).code == "cat <<EOF\n  text\nEOF"


def test_a_chunk_tells_where_it_stands() -> None:
    assert code_at(Document("a\n\nif b:\n    c\n\n", "python"), 4) == Chunk(
        code="if b:\n    c", first_row=2, last_row=3, result_row=3, language="python"
    )


@pytest.mark.parametrize(
    ("text", "language", "row", "result_row"),
    [
        ("a\n# %%\nb", "python", 1, 1),
        # The row with the nearest code above lies beyond the marker, so the marker has the result.
        ("a\n# %%\n\n\nb", "python", 3, 1),
        ("\n\n# %%", "python", 1, 1),
        ("", "python", 0, 0),
        ("```python\nx\n```", "markdown", 0, 0),
        ("```python\nx\n```", "markdown", 2, 2),
        ("```python\n\nx\n```", "markdown", 1, 0),
    ],
)
def test_on_a_marker_nothing_runs(text: str, language: str, row: int, result_row: int) -> None:
    chunk = code_at(Document(text, language), row)

    assert (chunk.runs, chunk.code, chunk.result_row) == (False, "", result_row)


@pytest.mark.parametrize(
    ("text", "language", "row", "kind", "code"),
    [
        ("# %% [markdown]\n# # Title", "python", 1, CellKind.MARKDOWN, "# Title"),
        ("// %% [raw]\n// text", "javascript", 1, CellKind.RAW, "text"),
        ("# Title", "markdown", 0, CellKind.MARKDOWN, "# Title"),
        ("```\n# text\n```", "markdown", 1, CellKind.RAW, "# text"),
    ],
)
def test_prose_is_shown_and_never_sent(text: str, language: str, row: int, kind: CellKind, code: str) -> None:
    chunk = code_at(Document(text, language), row)

    assert (chunk.runs, chunk.kind, chunk.code) == (False, kind, code)


@pytest.mark.parametrize(
    ("text", "code", "rows"),
    [
        ("«a\nb»\nc", "a\nb", (0, 1, 1)),
        ("»a\nb«\nc", "a\nb", (0, 1, 1)),
        ("f(«x + 1»)", "x + 1", (0, 0, 0)),
        ("a; «b\nc»; d", "b\nc", (0, 1, 1)),
        # A row that the selection only touches does not count, nor do blank rows at its end.
        ("«a\n»b", "a", (0, 0, 0)),
        ("«a\n\n\n»b", "a", (0, 2, 0)),
        ("«a\n  »\nb", "a", (0, 1, 0)),
        ("«\n\na»", "a", (2, 2, 2)),
        # No further back than the cell that holds the end.
        ("«a\n# %%\nb\nc»", "b\nc", (2, 3, 3)),
        ("«a\n# %%\nb\n»# %%\nc", "b", (2, 2, 2)),
        ("a\n«# %%\nb»", "b", (2, 2, 2)),
        # A selection that begins with its first row's code takes along the space before it.
        ("if x:\n    «a\n    b»", "a\nb", (1, 2, 2)),
        ("if x:\n  «  a\n    b»", "a\nb", (1, 2, 2)),
        ("if x:\n    «for i in y:\n        a\n»", "for i in y:\n    a", (1, 2, 2)),
        ("x = '''\n«  a\n  b»\n'''", "  a\n  b", (1, 2, 2)),
        # Exactly the selection, whole statement or not.
        ("«if x:»\n    a", "if x:", (0, 0, 0)),
        ("x = = («1»", "1", (0, 0, 0)),
    ],
)
def test_a_selection_runs_exactly(text: str, code: str, rows: tuple[int, int, int]) -> None:
    chunk = selected(text, "python")

    assert chunk.runs
    assert (chunk.code, (chunk.first_row, chunk.last_row, chunk.result_row)) == (code, rows)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a\n«# %%»\nb", "python"),
        ("«a\n# %»%\nb", "python"),
        ("a«\n»b", "python"),
        ("«\n\n»a", "python"),
        ("# %% [markdown]\n«# a\n# b»", "python"),
        ("«# Title»\n```python\na\n```", "markdown"),
        ("```python\na\n```\n«text»", "markdown"),
    ],
)
def test_selections_with_nothing_to_run(text: str, language: str) -> None:
    assert not selected(text, language).runs


def test_a_selection_in_markdown_stays_inside_the_fence() -> None:
    chunk = selected("«text\n```r\na\nb\n```»", "markdown")

    assert (chunk.code, chunk.language) == ("a\nb", "r")


def test_an_empty_selection_is_a_cursor() -> None:
    document = Document("if a:\n    b\nc", "python")

    assert code_in(document, Selection(Position(0, 2), Position(0, 2))) == code_at(document, 0)


@pytest.mark.parametrize(
    ("text", "language", "codes"),
    [
        ("\na\n\nb\n\n", "python", ["a\n\nb"]),
        ("a\n# %%\n\n# c\nb\n\n# %%\n", "python", ["a", "# c\nb", ""]),
        ("# %%\n# Plain\n%%bash\nls\n", "python", ["%%bash\nls"]),
        ("# %% [md]\n# a\n#\n# b", "python", ["a\n\nb"]),
        ("if x:\n    # %%\n    a\n    b", "python", ["if x:", "a\nb"]),
        ("- x\n\n  ```py\n  if a:\n      b\n  ```", "markdown", ["if a:\n    b"]),
    ],
)
def test_whole_cells(text: str, language: str, codes: list[str]) -> None:
    document = Document(text, language)

    assert [code_of(document, cell).code for cell in document.cells] == codes


@pytest.mark.parametrize(
    ("text", "language", "rows", "codes"),
    [
        ("", "python", None, []),
        ("a\n# b\n\nif c:\n  d\nelse: e\nf; g", "python", None, ["a", "if c:\n  d\nelse: e", "f; g"]),
        ("a\n# %% [md]\n# b\n# %%\nc", "python", None, ["a", "c"]),
        ("# %%\na\n%%bash\nb", "python", None, ["a", "%%bash", "b"]),
        ("# %%\n%%bash\nb\n\nc\n# %%\nd", "python", None, ["%%bash\nb\n\nc", "d"]),
        ("a\nb\nc\nd", "python", range(1, 3), ["b", "c"]),
        ("a\nb", "python", range(-3, 99), ["a", "b"]),
        ("a\nb", "python", range(5, 9), []),
        ("def f():\n    a\n    if b:\n        c\nd", "python", range(1, 4), ["a", "if b:\n    c"]),
        ("if x:\n    # %%\n    a\n    b", "python", range(2, 4), ["a", "b"]),
        ("a = = 1\nb\n# %%\nc", "python", None, ["a = = 1", "b", "c"]),
        ("f <- function() {\n  a\n}\n# b\nc", "r", None, ["f <- function() {\n  a\n}", "c"]),
        ("text\n```python\na\nb\n```\n```r\nc\n```\n```\nd\n```", "markdown", None, ["a", "b", "c"]),
    ],
)
def test_a_file_in_top_level_statements(
    text: str, language: str, rows: range | None, codes: list[str]
) -> None:
    assert [chunk.code for chunk in chunks(Document(text, language), rows)] == codes


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [("a\nb", 0, 1), ("a\n\n \nb", 0, 3), ("a\n", 0, None), ("a", 0, None), ("a\nb", -9, 0), ("a", 9, None)],
)
def test_moving_down_goes_to_the_next_row_with_something_on_it(
    text: str, row: int, expected: int | None
) -> None:
    assert next_row(Document(text, "python"), row) == expected


def indented(block: str) -> str:
    return "".join(f"    {row}\n" if row.strip() else "\n" for row in block.splitlines())


SIMPLE = st.sampled_from(
    [
        "a = a + 1\n",
        "b = [a,\n  # comment\n\n     b]\n",
        "c = '''\n  {}\n# %%\n'''.format(a)\n",
        "a += 2; b = str(a)\n",
        "log.append((a,\n  len(str(b))))\n",
        "a = a - \\\n    1\n",
        "c = ('x'\n'y')\n",
        "pass  # nothing\n",
        "b = 'y' \\\n\n",
    ]
)


def suites(statements: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(statements, min_size=1, max_size=3).map(lambda body: indented("".join(body)))


def compound(suite: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Statements with `suite`s in them. All leave names behind that the others can work with."""
    return st.one_of(
        st.builds("for i in range(2):\n{}".format, suite),
        st.builds("if a % 2:\n{}# between\n\nelse:\n{}".format, suite, suite),
        st.builds("if a > 5: a = 0\nelif a:\n{}".format, suite),
        st.builds(
            "try:\n{}    a.missing\nexcept (ValueError,\n        AttributeError):\n{}finally: a = 3\n".format,
            suite,
            suite,
        ),
        st.builds("@(lambda f:\n    f())\ndef c():\n    global a, b\n{}    return 1\n".format, suite),
        st.builds("with (open(__file__) as f,\n      open(__file__)):\n{}".format, suite),
        st.builds("match a:\n    case 1: b = 2\n    case _:\n{}".format, suite.map(indented)),
        st.builds("class D:\n    global a, b, c\n{}".format, suite),
    )


STATEMENT = st.one_of(
    SIMPLE, compound(suites(SIMPLE)), compound(suites(st.one_of(SIMPLE, compound(suites(SIMPLE)))))
)
REMARK = st.sampled_from(["\n", "# comment\n", "    # far out\n"])
PROGRAM = st.lists(st.one_of(STATEMENT, REMARK), max_size=6).map("".join)


def outcome(codes: list[str]) -> tuple[object, ...]:
    names: dict[str, object] = {"a": 1, "b": "", "c": None, "log": [], "__file__": __file__}
    for code in codes:
        exec(compile(code, "<chunk>", "exec"), names)
    return names["a"], names["b"], names["c"] if isinstance(names["c"], str | int) else None, names["log"]


@given(PROGRAM)
@settings(deadline=None)
def test_a_file_run_chunk_by_chunk_does_what_it_does_as_a_whole(program: str) -> None:
    found = chunks(Document(program, "python"))
    statements = ast.parse(program).body
    rows = {row for chunk in found for row in range(chunk.first_row, chunk.last_row + 1)}
    edges = [edge for chunk in found for edge in (chunk.first_row, chunk.last_row + 1)]

    assert edges == sorted(edges)
    assert all(
        row - 1 in rows for node in statements for row in range(node.lineno, (node.end_lineno or 0) + 1)
    )
    assert [ast.dump(node) for chunk in found for node in ast.parse(chunk.code).body] == [
        ast.dump(node) for node in statements
    ]
    assert outcome([chunk.code for chunk in found]) == outcome([program])


@given(PROGRAM, st.data())
@settings(deadline=None)
def test_a_cursor_on_any_row_runs_code_that_parses(program: str, data: st.DataObject) -> None:
    document = Document(program, "python")
    row = data.draw(st.integers(0, len(document.lines) - 1))
    chunk = code_at(document, row)

    ast.parse(chunk.code)
    if program.split("\n")[row].strip():
        assert chunk.first_row <= row <= chunk.last_row


@given(PROGRAM)
@settings(deadline=None)
def test_every_top_level_row_runs_its_whole_chunk(program: str) -> None:
    document = Document(program, "python")

    for chunk in chunks(document):
        assert code_at(document, chunk.first_row) == chunk


SCRAPS = [
    *[
        "# %%",
        "#%% T",
        "# %% [md]",
        "# In[1]:",
        "%%bash",
        "// %%",
        "-- %%",
        "%% T",
        "```python",
        "```",
        "~~~ {r}",
    ],
    *[
        "x = 1",
        "if x:",
        "    y",
        "\ty",
        "else:",
        "def f(",
        ")",
        "}",
        "{",
        "end",
        '"""',
        "'",
        "@a",
        "f?",
        "\\",
        "",
        " ",
        "\0",
    ],
    *["😀", "\ud800", "\r", "\f", "\u2028", "# c", "/*", "*/", "<<EOF", "EOF", "done", "%>%", "a +"],
]
TEXT = st.one_of(
    st.text(),
    st.lists(st.sampled_from(SCRAPS), max_size=25).map("\n".join),
    st.lists(st.sampled_from(SCRAPS)).map("".join),
)


@given(TEXT, st.sampled_from([*LANGUAGE_NAMES, None]), st.data())
@settings(max_examples=400, deadline=None)
def test_any_text_has_an_answer_for_any_cursor_and_selection(
    text: str, language: str | None, data: st.DataObject
) -> None:
    document = Document(text, language)
    numbers = st.integers(-3, len(document.lines) + 3)
    row = data.draw(numbers)
    selection = Selection(*(Position(data.draw(numbers), data.draw(st.integers(-3, 30))) for _ in "ab"))

    found = [code_at(document, row), code_in(document, selection), *chunks(document, range(row, row + 5))]
    found += [*(code_of(document, cell) for cell in document.cells), *chunks(document)]

    for chunk in found:
        assert 0 <= chunk.first_row <= chunk.result_row <= chunk.last_row < len(document.lines)
        assert "\r" not in chunk.code
        assert not chunk.runs or chunk.code.strip()


@given(TEXT, st.sampled_from([*LANGUAGE_NAMES, None]))
@settings(deadline=None)
def test_chunks_are_in_order_and_apart(text: str, language: str | None) -> None:
    found = chunks(Document(text, language))
    edges = [edge for chunk in found for edge in (chunk.first_row, chunk.last_row + 1)]

    assert edges == sorted(edges)
    assert all(chunk.runs for chunk in found)


@pytest.mark.parametrize("language", ["python", "r", "bash", "ruby", "markdown", None])
@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "(" * 300_000,
        "'" * 1_000_000,
        "a \0" * 300_000,
        " " * 1_000_000 + "x",
        "a | " * 250_000,
    ],
)
@pytest.mark.timeout(60)
def test_a_row_of_a_megabyte_is_fine(text: str, language: str | None) -> None:
    # A reading that went back over the row would take hours.
    document = Document(text, language)
    assert code_at(document, 0).first_row == 0
    assert all(chunk.first_row == 0 for chunk in chunks(document))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("broken", ["", "x = = 1\n"])
@pytest.mark.parametrize("marker", ["", "# %%\n"])
def test_twenty_thousand_rows_are_read(marker: str, broken: str) -> None:
    body = "    '''Text.'''\n    for i in range(a):\n        print(i, [b])\n    return a\n\n"
    text = "".join(f"{marker}def f{number}(a, b=(1, 2)):\n{body}" for number in range(3_400)) + broken
    document = Document(text, "python")
    first = code_at(document, 10_000)
    found = chunks(document)

    assert first.runs
    assert len(found) == 3_400 + bool(broken)
