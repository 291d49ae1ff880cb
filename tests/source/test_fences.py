"""Cells of Markdown files."""

import pytest

from kernelway.source.cells import CellKind
from kernelway.source.fences import fenced_cells

CODE, MARKDOWN, RAW = CellKind.CODE, CellKind.MARKDOWN, CellKind.RAW


@pytest.mark.parametrize(
    ("info", "language", "kind"),
    [
        ("python", "python", CODE),
        (" Python  title=x", "python", CODE),
        ("py", "python", CODE),
        ("python {cmd=true}", "python", CODE),
        ("python{.line-numbers}", "python", CODE),
        ("rust,ignore", "rust", CODE),
        ("c++", "c++", CODE),
        ("R", "r", CODE),
        ("forth", "forth", CODE),
        ("{python}", "python", CODE),
        ("{ python }", "python", CODE),
        ("{r setup, include=FALSE}", "r", CODE),
        ("{r, echo=FALSE}", "r", CODE),
        ("{.python}", "python", CODE),
        ("{.python .numberLines}", "python", CODE),
        ("{#id .python}", "python", CODE),
        ('{python #fig-a label="x"}', "python", CODE),
        ("{code-cell} ipython3", "python", CODE),
        ("{code-cell}", None, CODE),
        ("markdown", "markdown", MARKDOWN),
        ("", None, RAW),
        ("{{python}}", None, RAW),
        ("{=html}", None, RAW),
        ("{figure} plot.png", None, RAW),
        ("{code-block} python", None, RAW),
    ],
)
@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_the_info_string_names_the_language(
    fence: str, info: str, language: str | None, kind: CellKind
) -> None:
    (cell,) = fenced_cells([fence + info, "code", fence])

    assert (cell.language, cell.kind) == (language, kind)


@pytest.mark.parametrize(
    ("text", "rows", "spans"),
    [
        ("", [], []),
        ("prose\n`x`\n", [], []),
        ("```py\na\n```\nprose", [range(1, 2)], [range(3)]),
        ("```py\n```", [range(1, 1)], [range(2)]),
        ("a\n```py\nb\n\nc", [range(2, 5)], [range(1, 5)]),
        ("````py\n```\n````", [range(1, 2)], [range(3)]),
        ("```py\n````", [range(1, 1)], [range(2)]),
        ("~~~py\n```\n~~~", [range(1, 2)], [range(3)]),
        ("```py\n``` no close\n```", [range(1, 2)], [range(3)]),
        ("``` `x` no fence", [], []),
        ("~~~ `x`\n~~~", [range(1, 1)], [range(2)]),
        ("``py\n``", [], []),
        ("- item\n\n    ```py\n    a\n    ```", [range(3, 4)], [range(2, 5)]),
        ("```py\n    ```\n```", [range(1, 2)], [range(3)]),
        ("```py\na\n```\n```r\nb\n```", [range(1, 2), range(4, 5)], [range(3), range(3, 6)]),
        ("```{code-cell} python\n:tags: [x]\n:name: y\na\n```", [range(3, 4)], [range(5)]),
        ("```python\n:tags: [x]\n```", [range(1, 2)], [range(3)]),
    ],
)
def test_fences_close_with_their_own_kind(text: str, rows: list[range], spans: list[range]) -> None:
    cells = fenced_cells(text.split("\n"))

    assert [cell.rows for cell in cells] == rows
    assert [cell.span for cell in cells] == spans
    assert [cell.marker_row for cell in cells] == [span.start for span in spans]
