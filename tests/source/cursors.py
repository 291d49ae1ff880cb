"""Programs with the answer beside each row: which rows run for a cursor there."""

from textwrap import dedent

from kernelway.source import Document, code_at


def annotated(program: str) -> tuple[str, list[str]]:
    """The text of a program and the answers on its left, one for each row and a bar between them.

    An answer is the rows that run (`3`, `1-4`), counted from 0, or nothing where nothing runs.
    """
    rows = [row.partition("|") for row in dedent(program).strip("\n").split("\n")]
    assert all(bar for _, bar, _ in rows), "every row of an annotated program has a bar"
    return "\n".join(source for _, _, source in rows), [answer.strip() for answer, _, _ in rows]


def answers(text: str, language: str | None) -> list[str]:
    """What the package says for a cursor on each row, in the same form."""
    document = Document(text, language)
    chunks = [code_at(document, row) for row in range(len(document.lines))]
    return ["" if not chunk.runs else _rows(chunk.first_row, chunk.last_row) for chunk in chunks]


def _rows(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
