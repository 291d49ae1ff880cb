"""Cells by markers in scripts."""

from collections.abc import Mapping

import pytest

from kernelway.source.cells import Cell, CellKind, percent_cells, prose

CODE, MARKDOWN, RAW = CellKind.CODE, CellKind.MARKDOWN, CellKind.RAW


def header(line: str, language: str | None = "python") -> Cell | None:
    """The cell that a marker in the second row begins, None if the row is no marker."""
    cells = percent_cells(["before", line, "after"], language)
    return cells[1] if len(cells) == 2 else None


@pytest.mark.parametrize(
    ("line", "title", "kind", "metadata"),
    [
        ("# %%", "", CODE, {}),
        ("#%%", "", CODE, {}),
        ("  # %%  ", "", CODE, {}),
        ("# %%%% Deeper", "Deeper", CODE, {}),
        ("# %% A title", "A title", CODE, {}),
        ("#%%Title", "Title", CODE, {}),
        ("# %% [markdown]", "", MARKDOWN, {}),
        ("#%%[markdown]", "", MARKDOWN, {}),
        ("# %% [md] ", "", MARKDOWN, {}),
        ("# %% [MARKDOWN]", "", MARKDOWN, {}),
        ("# %% md", "", MARKDOWN, {}),
        ("# %% markdown", "", MARKDOWN, {}),
        ("# %% markdown is a language", "markdown is a language", CODE, {}),
        ("# %% [raw]", "", RAW, {}),
        ("# %% Title [markdown]", "Title", MARKDOWN, {}),
        ("# %% Plot x[3] [code]", "Plot x[3]", CODE, {}),
        ("# %% Not a [type]", "Not a [type]", CODE, {}),
        ('# %% Title [markdown] key="value"', "Title", MARKDOWN, {"key": "value"}),
        ('# %% key="a \\"b\\" [md]" n=3', "", CODE, {"key": 'a "b" [md]', "n": 3}),
        ('# %% tags=["parameters", "x"] run=false', "", CODE, {"tags": ["parameters", "x"], "run": False}),
        ('# %% [raw] jupyter.kind={"a": [1, {}]}', "", RAW, {"jupyter.kind": {"a": [1, {}]}}),
        # An equals sign alone does not make a title into metadata.
        ("# %% Solve x=1 for y", "Solve x=1 for y", CODE, {}),
        ("# %% Solve x=y", "Solve x=y", CODE, {}),
        (f"# %% n={'9' * 5000}", f"n={'9' * 5000}", CODE, {}),
        ("# <codecell>", "", CODE, {}),
        ("#<codecell>", "", CODE, {}),
        ("# <markdowncell>", "", MARKDOWN, {}),
        ("# In[3]:", "", CODE, {}),
        ("# In[ ]:", "", CODE, {}),
        ("# In[12]", "", CODE, {}),
        ("# In [*]:", "", CODE, {}),
    ],
)
def test_markers(line: str, title: str, kind: CellKind, metadata: Mapping[str, object]) -> None:
    cell = header(line)

    assert cell is not None
    assert (cell.title, cell.kind, dict(cell.metadata)) == (title, kind, metadata)


@pytest.mark.parametrize(
    "line",
    [
        "%%",
        "%% Title",
        "# %",
        "# %%time",  # How jupytext keeps a cell magic out of a script.
        "# 50 %% of it",
        "x = 1  # %%",
        "# In the beginning",
        "# In[3]: not any more",
        "# <codecell> and more",
        "// %%",
    ],
)
def test_rows_that_only_look_like_markers(line: str) -> None:
    assert header(line) is None


@pytest.mark.parametrize(
    ("language", "marker", "is_marker"),
    [
        ("r", "# %%", True),
        ("julia", "## %% Title", True),
        ("bash", "#%%", True),
        ("javascript", "// %% Title", True),
        ("typescript", "//%%", True),
        ("c++", "// In[3]:", True),
        ("rust", "// <codecell>", True),
        ("go", "# %%", False),
        ("scala", "// %% [markdown]", True),
        ("lua", "-- %%", True),
        ("sql", "--%%", True),
        ("haskell", "-- %% Title", True),
        ("lisp", ";; %%", True),
        ("clojure", "; %%", True),
        ("clojure", ";;; %% Title", True),
        ("php", "# %%", True),
        ("php", "// %%", True),
        ("matlab", "%%", True),
        ("matlab", "%% Title", True),
        ("matlab", "% %% Title", True),
        ("matlab", "%%%%%%%%%%", False),
        ("matlab", "%%no section", False),
        ("matlab", "% comment", False),
        ("matlab", "# %%", False),
        ("octave", "%% Title", True),
        ("octave", "# %%", True),
        ("octave", "#%%", True),
        ("erlang", "%% an ordinary comment", False),
        ("erlang", "% %%", True),
        (None, "# %%", True),
        (None, "// %%", True),
    ],
)
def test_the_comment_sign_is_the_language_s(language: str | None, marker: str, is_marker: bool) -> None:
    cell = header(marker, language)

    assert (cell is not None) == is_marker
    assert cell is None or cell.title == ("Title" if "Title" in marker else "")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("\n \n", []),
        ("x = 1", [range(1)]),
        ("\nx = 1\n", [range(3)]),
        ("# %%", [range(1, 1)]),
        ("\n\n# %%\nx", [range(3, 4)]),
        ("# %%\n# %%\n", [range(1, 1), range(2, 3)]),
        ("a\n# %%\nb\n\n# %%\nc", [range(1), range(2, 4), range(5, 6)]),
        ("# only a comment\n# %%\n", [range(1), range(2, 3)]),
    ],
)
def test_cells_begin_below_their_markers(text: str, rows: list[range]) -> None:
    cells = percent_cells(text.split("\n"), "python")

    assert [cell.rows for cell in cells] == rows


def test_a_cell_spans_its_marker_too() -> None:
    first, second = percent_cells(["a", "# %%", "b"], "python")

    assert (first.span, first.marker_row) == (range(1), None)
    assert (second.span, second.marker_row, second.language) == (range(1, 3), 1, "python")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('x = """\n# %%\n"""\n# %%\n', 2),
        ("x = r'''\n# %%\n'''", 1),
        ("x = 'a\\\n# %%'", 1),
        ('x = "#\'\'\'"\n# %%\n"""\n# %%\n"""', 2),
        ('# a comment with """\n# %%\n# and """\n', 2),
        # A string that nobody closed hides no marker, and neither does an apostrophe in a shell command.
        ('x = """\n# %%\ny = 1\n', 2),
        ('!echo it\'s """\n# %%\ny = 1\n', 2),
        ("foo(\n# %%\ny = 1", 2),
    ],
)
def test_a_marker_inside_a_python_string_is_text(text: str, count: int) -> None:
    assert len(percent_cells(text.split("\n"), "python")) == count


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("python", "# # Title\n#\n# text\n#text", "# Title\n\ntext\ntext"),
        ("python", "# - a\n#   - b\n", "- a\n  - b"),
        ("python", '"""\n# Title\ntext\n"""', "# Title\ntext"),
        ("python", "r'''$x$'''", "$x$"),
        ("javascript", "// # Title\n// text", "# Title\ntext"),
        ("lisp", ";; text\n; text", "text\ntext"),
        ("r", "\n# text\nnot in a comment\n\n", "text\nnot in a comment"),
    ],
)
def test_prose_loses_its_comment_signs(language: str, text: str, expected: str) -> None:
    lines = text.split("\n")

    assert prose(lines, range(len(lines)), language) == expected
