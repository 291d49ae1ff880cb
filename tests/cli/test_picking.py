"""Which code of a file runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kernelway.cli.picking import Picked, Wanted, pick, read, wanted
from kernelway.protocol.errors import InvalidRequest, KernelwayError, NotFound
from kernelway.source import Document

PYTHON = """\
\"\"\"What this is about.\"\"\"
import os

# %% First
if os.name:
    print(1)
    print(2)

# %% [markdown]
# Words.

# %% Last
3
"""
MARKDOWN = """\
# Title
```python
1
```
```json
{}
```
```bash
echo 2
```
```python
3
```
"""


def picked(
    text: str,
    language: str | None,
    *,
    first: int | None = None,
    last: int | None = None,
    cell: int | None = None,
    runnable: tuple[str, ...] = ("python",),
    kernel: str | None = None,
) -> Picked:
    want = Wanted(file=Path("file"), first=first, last=last, cell=cell)
    return pick(Document(text, language), want, runnable=runnable, kernel_language=kernel)


def codes(picked: Picked) -> list[str]:
    return [piece.code for piece in picked.pieces]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a.py", Wanted(file=Path("a.py"))),
        ("a.py:3", Wanted(file=Path("a.py"), first=3)),
        ("a.py:3-7", Wanted(file=Path("a.py"), first=3, last=7)),
        ("a.py:3-3", Wanted(file=Path("a.py"), first=3, last=3)),
        ("c:/a.py:3", Wanted(file=Path("c:/a.py"), first=3)),
        ("a.py:x", Wanted(file=Path("a.py:x"))),
        ("12", Wanted(file=Path("12"))),
    ],
)
def test_a_file_and_lines_of_it(text: str, want: Wanted) -> None:
    assert wanted(text, cell=None) == want


def test_a_file_may_have_a_name_with_a_number(tmp_path: Path) -> None:
    odd = tmp_path / "a.py:3"
    odd.touch()
    assert wanted(str(odd), cell=2) == Wanted(file=odd, cell=2)


@pytest.mark.parametrize("text", ["a.py:0", "a.py:5-3", "a.py:0-1"])
def test_lines_that_cannot_be(text: str) -> None:
    with pytest.raises(InvalidRequest, match="lines count from 1"):
        wanted(text, cell=None)


def test_a_line_and_a_cell_exclude_each_other() -> None:
    with pytest.raises(InvalidRequest, match="exclude each other"):
        wanted("a.py:3", cell=1)


@pytest.mark.parametrize(
    ("asked", "code", "start"),
    [
        ({}, ["import os", "if os.name:\n    print(1)\n    print(2)", "3"], 0),
        ({"first": 2}, ["import os"], 1),
        ({"first": 5}, ["if os.name:\n    print(1)\n    print(2)"], 4),
        ({"first": 6}, ["print(1)"], 5),
        ({"first": 8}, ["if os.name:\n    print(1)\n    print(2)"], 4),
        ({"first": 1}, ['"""What this is about."""'], 0),
        ({"first": 4}, [], 3),
        ({"first": 6, "last": 7}, ["print(1)", "print(2)"], 5),
        ({"first": 2, "last": 7}, ["if os.name:\n    print(1)\n    print(2)"], 4),
        ({"first": 13, "last": 99}, ["3"], 12),
        ({"cell": 2}, ["if os.name:\n    print(1)\n    print(2)"], 3),
        ({"cell": 4}, ["3"], 11),
    ],
)
def test_python(asked: dict[str, Any], code: list[str], start: int) -> None:
    found = picked(PYTHON, "python", **asked)
    assert (codes(found), found.start) == (code, start)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"first": 99}, "file has 13 lines, and no line 99."),
        ({"first": 14}, "file has 13 lines, and no line 14."),
        ({"cell": 5}, "file has 4 cells, and no cell 5."),
        ({"cell": 0}, "file has 4 cells, and no cell 0."),
        ({"cell": 3}, "Cell 3 of file is markdown, which does not run."),
    ],
)
def test_what_is_not_there(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KernelwayError) as caught:
        picked(PYTHON, "python", **asked)
    assert str(caught.value) == sentence


def test_other_languages_run_by_indentation() -> None:
    found = picked("for x in 1 2; do\n  echo $x\ndone\necho 3\n", "bash")
    assert codes(found) == ["for x in 1 2; do\n  echo $x\ndone", "echo 3"]
    assert found.language == "bash"


def test_the_kernel_tells_the_language_of_a_file_that_does_not() -> None:
    found = picked("def f():\n    return (1,\n\n  2)\nf()\n", None, kernel="python")
    assert codes(found) == ["def f():\n    return (1,\n\n  2)", "f()"]
    assert found.language == "python"


@pytest.mark.parametrize(
    ("asked", "code", "language"),
    [
        ({}, ["1", "3"], "python"),
        ({"runnable": ("python", "bash"), "kernel": "bash"}, ["echo 2"], "bash"),
        ({"runnable": ("bash",)}, ["echo 2"], "bash"),
        ({"runnable": ("r",)}, ["1", "3"], "python"),
        ({"first": 9}, ["echo 2"], "bash"),
        ({"cell": 3}, ["echo 2"], "bash"),
    ],
)
def test_of_markdown_the_blocks_of_one_language(
    asked: dict[str, Any], code: list[str], language: str
) -> None:
    found = picked(MARKDOWN, "markdown", **asked)
    assert (codes(found), found.language) == (code, language)


def test_which_language_is_meant_must_be_clear() -> None:
    with pytest.raises(InvalidRequest, match="blocks of python and bash: --kernel says which"):
        picked(MARKDOWN, "markdown", runnable=("bash", "python"))


def test_a_file_is_read_as_python_would(tmp_path: Path) -> None:
    path = tmp_path / "latin.py"
    path.write_bytes("# coding: latin-1\nx = 'ü'\r\n".encode("latin-1"))
    assert read(path).lines[1] == "x = 'ü'"


def test_a_byte_order_mark_is_none_of_the_text(tmp_path: Path) -> None:
    for name in ("a.py", "a.r"):
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbfx")
        assert read(path).text == "x"


@pytest.mark.parametrize(
    ("name", "data", "kind", "sentence"),
    [
        ("none.py", None, NotFound, "There is no file"),
        ("a.ipynb", b"{}", InvalidRequest, "is a notebook"),
        ("a.py", b"\xff\xfe\xff", InvalidRequest, "is not text in UTF-8"),
        ("a.r", b"\xff\xfe\xff", InvalidRequest, "is not text in UTF-8"),
        ("a.py", b"# coding: klingon\n", InvalidRequest, "unknown encoding"),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, name: str, data: bytes | None, kind: type[KernelwayError], sentence: str
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(kind, match=sentence):
        read(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(KernelwayError, match="cannot be read"):
        read(tmp_path)
