"""A document's rows, cells and blocks."""

import pytest

from kernelway.source import Cell, CellKind, Document
from kernelway.source.blocks import IndentedBlocks
from kernelway.source.python_blocks import PythonBlocks

SCRIPT = "\n# %%\nx = 1\n\n# %% [markdown]\n# text\n"
MARKDOWN = "# Title\n```python\nx = 1\n```\ntext\n```r\ny"


def test_the_file_s_name_tells_the_language() -> None:
    assert Document.of_file("a/b.jl", "x").language == "julia"
    assert Document.of_file("Makefile", "x").language is None


def test_a_language_may_be_spelt_as_editors_do() -> None:
    assert Document("x", "shellscript").language == "bash"
    assert Document("x", "IPython3").language == "python"


@pytest.mark.parametrize("text", ["", "a", "a\n", "a\r\nb\rc"])
def test_there_is_always_a_row(text: str) -> None:
    document = Document(text, "python")

    assert "\n".join(document.lines) == document.text
    assert len(document.lines) >= 1


@pytest.mark.parametrize(
    ("text", "language", "row", "span"),
    [
        (SCRIPT, "python", 0, None),
        (SCRIPT, "python", -5, None),
        (SCRIPT, "python", 1, range(1, 4)),
        (SCRIPT, "python", 3, range(1, 4)),
        (SCRIPT, "python", 4, range(4, 7)),
        (SCRIPT, "python", 99, range(4, 7)),
        (MARKDOWN, "markdown", 0, None),
        (MARKDOWN, "markdown", 1, range(1, 4)),
        (MARKDOWN, "markdown", 3, range(1, 4)),
        (MARKDOWN, "markdown", 4, None),
        (MARKDOWN, "markdown", 6, range(5, 7)),
        ("", "python", 0, None),
    ],
)
def test_the_cell_at_a_row(text: str, language: str, row: int, span: range | None) -> None:
    cell = Document(text, language).cell_at(row)

    assert (cell and cell.span) == span


def test_cells_of_markdown_have_their_fences_language() -> None:
    assert [(cell.language, cell.kind) for cell in Document(MARKDOWN, "markdown").cells] == [
        ("python", CellKind.CODE),
        ("r", CellKind.CODE),
    ]


def first_cell(document: Document) -> Cell:
    return document.cells[0]


def test_a_python_file_that_parses_is_read_as_a_whole() -> None:
    document = Document("a\n# %%\nb", "python")
    first, second = document.cells

    assert document.blocks(first) is document.blocks(second)
    assert document.blocks_within(second, second.rows) is document.blocks(first)


def test_a_python_file_that_does_not_parse_is_read_by_cell_and_once() -> None:
    document = Document("a = = 1\n# %%\nb", "python")
    first, second = document.cells

    assert list(document.blocks(first).top_level) == [range(1)]
    assert list(document.blocks(second).top_level) == [range(2, 3)]
    assert document.blocks(second) is document.blocks(second)
    assert document.blocks_within(second, second.rows) is document.blocks(second)


def test_rows_that_cut_a_statement_are_read_alone() -> None:
    document = Document("def f():\n    a\n    b\nc", "python")
    blocks = document.blocks_within(first_cell(document), range(1, 3))

    assert list(blocks.top_level) == [range(1, 2), range(2, 3)]


@pytest.mark.parametrize(("language", "kind"), [("python", PythonBlocks), ("r", IndentedBlocks)])
def test_a_fence_s_language_decides_who_reads_it(language: str, kind: type) -> None:
    document = Document(f"```{language}\nx\n```", "markdown")

    assert isinstance(document.blocks(first_cell(document)), kind)
