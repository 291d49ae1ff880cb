"""How results look beside their lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.source.inline import Look, Shown, ShownKind, beside, look, result_column, richest
from kernelway.source.terminal import width

STREAM, DISPLAY, RESULT, ERROR = ShownKind
TIMES = "\N{MULTIPLICATION SIGN}"
PANDAS = (
    "<table><thead><tr><th></th><th>a</th></tr></thead><tbody>"
    "<tr><th>0</th><td>1</td><td>2</td></tr><tr><th>1</th><td>3</td><td>4</td></tr></tbody></table>"
)


def test_the_look_that_its_users_know() -> None:
    lines = ["import markdown", "markdown.version"]
    marks = [look([]).mark, look([Shown(RESULT, "'2.6.6'")]).mark]
    column = result_column(lines)

    assert [beside(line, mark or "", column) for line, mark in zip(lines, marks, strict=True)] == [
        "import markdown     [✓]",
        "markdown.version    ['2.6.6']",
    ]


@pytest.mark.parametrize(
    ("outputs", "mark"),
    [
        ([], "[✓]"),
        ([Shown(RESULT, "42")], "[42]"),
        ([Shown(DISPLAY, "42\n")], "[42]"),
        ([Shown(STREAM, "hello\n")], "[hello]"),
        ([Shown(STREAM, "hel"), Shown(STREAM, "lo\n")], "[hello]"),
        ([Shown(STREAM, "\n")], "[✓]"),
        ([Shown(STREAM, ""), Shown(RESULT, "1")], "[1]"),
        ([Shown(STREAM, "10%\r"), Shown(STREAM, "90%\r"), Shown(STREAM, "done\n")], "[done]"),
        ([Shown(RESULT, "\x1b[31mred\x1b[0m\tx")], "[red x]"),
        ([Shown(ERROR, "NameError: name 'x' is not defined")], "[✗ NameError: name 'x' is not defined]"),
        ([Shown(ERROR, "\x1b[31mValueError: two\x1b[0m\nrows")], "[✗ ValueError: two]"),
        ([Shown(ERROR, "")], "[✗]"),
        ([Shown(STREAM, "before\n"), Shown(ERROR, "E: x")], "[✗ E: x]"),
    ],
)
def test_what_stands_beside_the_line(outputs: list[Shown], mark: str) -> None:
    assert look(outputs).mark == mark


@pytest.mark.parametrize(
    ("outputs", "summary"),
    [
        ([Shown(STREAM, "a\nb\nc\n")], "3 lines"),
        ([Shown(RESULT, "x" * 79)], "1 line"),
        ([Shown(RESULT, "a\u2028b")], "2 lines"),
        ([Shown(STREAM, "a"), Shown(RESULT, "b")], f"2 {TIMES} 1 line"),
        ([Shown(STREAM, "a\nb\n"), Shown(DISPLAY, "<Figure>", "image/png")], "2 lines, image"),
        ([Shown(DISPLAY, "<svg/>", "image/svg+xml")], "image"),
        ([Shown(RESULT, "Chart", "application/vnd.vegalite.v5+json")], "plot"),
        ([Shown(RESULT, "Figure", "application/vnd.plotly.v1+json")], "plot"),
        ([Shown(DISPLAY, "# Title", "text/markdown")], "markdown"),
        ([Shown(RESULT, "$x$", "text/latex")], "latex"),
        ([Shown(RESULT, "{}", "application/json")], "json"),
        ([Shown(RESULT, "<b>x</b>", "text/html")], "html"),
        ([Shown(DISPLAY, "", "application/pdf")], "application/pdf"),
        ([Shown(RESULT, PANDAS, "text/html")], f"table 2{TIMES}2"),
        ([Shown(RESULT, PANDAS + f"<p>120 rows {TIMES} 8 columns</p>", "text/html")], f"table 120{TIMES}8"),
        ([Shown(RESULT, "a b\n...\n[120 rows x 8 columns]")], f"table 120{TIMES}8"),
        ([Shown(RESULT, "shape: (1_000, 8)\n...")], f"table 1_000{TIMES}8"),
        ([Shown(RESULT, f"<caption>A data.frame: 6 {TIMES} 5</caption>", "text/html")], f"table 6{TIMES}5"),
        # What a program says of tables does not make its output one.
        ([Shown(STREAM, "read\n[120 rows x 8 columns]\n")], "2 lines"),
    ],
)
def test_what_goes_below_is_named(outputs: list[Shown], summary: str) -> None:
    shown = look(outputs)

    assert (shown.mark, shown.summary) == (None, summary)
    assert shown.below


def test_an_error_stands_beside_the_line_and_below_it() -> None:
    error = Shown(ERROR, "E: x")

    assert look([Shown(STREAM, "a\n"), error]) == Look(
        "[✗ E: x]", (Shown(STREAM, "a"), error), "1 line, error"
    )


@pytest.mark.parametrize("outputs", [[], [Shown(STREAM, "a\n")], [Shown(STREAM, "a\nb\n")]])
def test_while_it_runs_the_outputs_so_far_go_below(outputs: list[Shown]) -> None:
    shown = look(outputs, running=True)

    assert shown.mark == "[…]"
    assert len(shown.below) == len(outputs)


@given(st.lists(st.builds(Shown, st.sampled_from(ShownKind), st.text())), st.integers(3, 90))
def test_a_mark_is_one_row_that_fits(outputs: list[Shown], room: int) -> None:
    mark = look(outputs, room=room).mark

    assert mark is None or (width(mark) <= room and len(mark.splitlines()) == 1)


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([], None),
        (["text/plain"], "text/plain"),
        (["application/pdf"], "application/pdf"),
        (["application/pdf", "text/plain"], "text/plain"),
        (
            ["application/vnd.vegalite.v4+json", "application/vnd.vegalite.v5+json"],
            "application/vnd.vegalite.v5+json",
        ),
        (["application/vnd.vega.v5+json", "text/html"], "application/vnd.vega.v5+json"),
    ],
)
def test_richest(types: list[str], expected: str | None) -> None:
    assert richest(types) == expected


ORDER = [
    "application/vnd.vegalite.v5.2+json",
    "application/vnd.plotly.v1+json",
    "text/html",
    "text/markdown",
    "text/latex",
    "image/svg+xml",
    "image/jpeg",
    "image/png",
    "application/json",
    "text/plain",
]


@given(st.sets(st.sampled_from(ORDER), min_size=1))
def test_richest_first(types: set[str]) -> None:
    assert richest(types) == min(types, key=ORDER.index)


@pytest.mark.parametrize(
    ("lines", "column"),
    [([], 4), (["abc", "a"], 7), (["世界"], 8), (["\tx"], 9), (["x" * 60], 64), (["x" * 200, "a"], 64)],
)
def test_results_line_up_behind_the_longest_line_or_the_cap(lines: list[str], column: int) -> None:
    assert result_column(lines) == column


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "          [✓]"),
        ("ab", "ab        [✓]"),
        ("ab  ", "ab        [✓]"),
        ("世界", "世界      [✓]"),
        ("\ta", "    a     [✓]"),
        ("x" * 20, "x" * 20 + "    [✓]"),
    ],
)
def test_beside(line: str, expected: str) -> None:
    assert beside(line, "[✓]", 10) == expected
