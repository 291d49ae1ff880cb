"""The source that a run shows."""

from __future__ import annotations

import pytest

from kernelway.cli.show.listing import Listing
from kernelway.source import Document, chunks

SOURCE = """\
#!/usr/bin/env python

# What this is about.
import platform


platform.system()
# %% A cell
for n in range(3):
    print(n)

# Behind everything.
"""


def listing(text: str, language: str = "python", *, start: int = 0) -> tuple[Listing, int]:
    document = Document(text, language)
    pieces = chunks(document)
    return Listing(document, pieces, start=start), len(pieces)


def whole(text: str, language: str = "python", *, start: int = 0) -> list[str]:
    of, count = listing(text, language, start=start)
    return [row.text for index in range(count) for row in (*of.above(index), *of.code(index))]


def test_the_file_is_shown_with_one_blank_row_for_several() -> None:
    assert whole(SOURCE) == [
        "#!/usr/bin/env python",
        "",
        "# What this is about.",
        "import platform",
        "",
        "platform.system()",
        "# %% A cell",
        "for n in range(3):",
        "    print(n)",
    ]


def test_what_stands_above_the_start_is_left_out() -> None:
    assert whole(SOURCE, start=3)[0] == "import platform"


def test_prose_between_fences_is_for_the_reader_of_the_file() -> None:
    markdown = "# Title\n\n```python\n1\n```\n\nMore words.\n\n```python\n2\n3\n```\n"
    assert whole(markdown, "markdown") == ["1", "", "2", "3"]


def test_of_a_long_definition_the_middle_is_left_out() -> None:
    body = "".join(f"    x{number} = 1\n" for number in range(30))
    rows = whole(f"def f():\n{body}")
    assert rows[:2] == ["def f():", "    x0 = 1"]
    assert rows[-2:] == ["    ⋮ 24 more lines", "    x29 = 1"]
    assert len(rows) == 8


@pytest.mark.parametrize(
    ("lines", "columns", "column"),
    [
        (["x = 1", "longer = 22"], 80, 15),
        (["x" * 70, "y = 1"], 80, 9),
        (["x" * 48, "y = 1"], 80, 52),
        (["x" * 59, "y = 1"], 200, 63),
        (["x" * 70], 80, 4),
    ],
)
def test_results_stand_behind_the_longest_line_that_is_not_too_long(
    lines: list[str], columns: int, column: int
) -> None:
    of, _ = listing("\n".join(lines))
    assert of.column(columns) == column
