"""Blocks of rows in languages that nobody parses: what runs for a cursor on each row."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.source.cursors import annotated, answers

from kernelway.source.blocks import IndentedBlocks
from kernelway.source.languages import LANGUAGES, lexicon_of

PROGRAMS = {
    "r": r"""
        0     |library(dplyr)
        1-9   |f <- function(x, y) {
        2-3   |  z <- x +
        2-3   |    y
        4-8   |  if (z > 1) {
        5     |    "a{b"  # }
        4-8   |  } else {
        7     |    2
        4-8   |  }
        1-9   |}
        1-9   |
        11-13 |df %>%
        11-13 |  filter(a) %>%
        11-13 |  head()
        14-17 |g <- function(x)
        14-17 |{
        16    |  x
        14-17 |}
        18-23 |tryCatch({
        19    |  a
        20    |  b
        18-23 |}, error = function(e) {
        22    |  c
        18-23 |})
        24-25 |s <- "two
        24-25 | rows"
        26    |.libPaths()
        27    |end <- 5
        28-31 |ggplot(d, aes(x,
        28-31 |  y)) +
        28-31 |
        28-31 |  geom_point()
    """,
    "julia": r'''
        0     |using X
        1-6   |function f(x)
        2-4   |    for i in 1:3
        3     |        println(i)
        2-4   |    end
        5     |    x' * (x')
        1-6   |end
        1-6   |
        8-11  |function g(x)
        9     |x + 1
        9     |
        8-11  |end
        12    |a[end]
        13    |f(x) = if x; 1 else 2 end
        14-16 |map(1:3) do i
        15    |    i
        14-16 |end
        17-19 |#= comment
        17-19 | end
        17-19 |=#
        20-22 |y = """
        20-22 | end
        20-22 |"""
        23-27 |if a
        24    |  b
        23-27 |elseif c
        26    |  d
        23-27 |end
        28    |end_date = 1
        29-34 |module M
        29-34 |struct P
        31    |x
        29-34 |end
        33    |y = 1
        29-34 |end
    ''',
    "bash": r"""
        0     |#!/bin/bash
        1-3   |for f in *; do
        2     |  echo "$f"
        1-3   |done | sort
        4-7   |if [ -f x ]
        4-7   |then
        6     |  echo it\'s
        4-7   |fi
        8-11  |case $x in
        9     |  a) echo ;;
        10    |  *) b ;;
        8-11  |esac
        12-14 |cat <<EOF
        12-14 | it's { (
        12-14 |EOF
        15-18 |f() {
        16    |  ls /
        17    |  cd -
        15-18 |}
        19-20 |ls | \
        19-20 |  wc
        21-24 |while read x
        21-24 |do
        23    |echo $x
        21-24 |done < file
        25    |echo done
        26-28 |a &&
        26-28 |
        26-28 |b
        29    |if a; then b; fi
        30    |x=1
        31-37 |case $x in
        32-33 |a | "b" )
        33    |  echo
        34-36 |* )
        35    |  echo
        36    |  ;;
        31-37 |esac
        38-45 |if ! a; then
        39-41 |  if b; then
        40    |    c
        39-41 |  fi
        42-44 |g() {
        43    |  echo
        42-44 |}
        38-45 |fi
        46-48 |ls | while read x; do
        47    |  echo
        46-48 |done
        49-52 |cat <<EOF ||
        49-52 |text
        49-52 |EOF
        49-52 |  exit
        53-57 |if a; then
        54    |  b
        53-57 |fi \
        53-57 |  | c \
        53-57 |  | d
    """,
    "javascript": r"""
        0     |import a from "b";
        1-6   |const x = {
        1-6   |  a: 1,
        1-6   |  b: `t
        1-6   |  ${1}`,
        1-6   |  c: { d: 1 },
        1-6   |};
        7-14  |function f(a) {
        8-13  |  if (a) {
        9     |    return 1;
        8-13  |  }
        8-13  |  else {
        12    |    return 2;
        8-13  |  }
        7-14  |}
        15-19 |foo(() => {
        16    |  a();
        16    |
        18    |  b();
        15-19 |});
        20-22 |p
        20-22 |  .then(x)
        20-22 |  .catch(y);
        23-24 |/* block
        23-24 | comment */
        25-27 |do {
        26    |  x++;
        25-27 |} while (x);
        28    |i++
        29    |j
        30-32 |function g() {
        31    |k
        30-32 |}
    """,
    "ruby": r"""
        0-8   |class A
        1-7   |  def f(x)
        2-4   |    x.each do |y|
        3     |      puts y
        2-4   |    end
        1-7   |  rescue => e
        6     |    1
        1-7   |  end
        0-8   |end
        9-13  |x = if a
        10    |  1
        9-13  |else
        12    |  2
        9-13  |end
        14-19 |case x
        14-19 |when 1
        16    |  2
        14-19 |else
        18    |  3
        14-19 |end
        20-22 |puts(<<~EOS)
        20-22 | hi
        20-22 |EOS
        23-25 |[1].map { |x|
        24    |  x
        23-25 |}
        26    |end_date = 1
        27    |x = y if z
    """,
    "sql": """
        0     |-- A comment
        1-5   |SELECT a
        1-5   |FROM b
        1-5   |
        1-5   |WHERE c = 'x;
        1-5   |';
        1-5   |
        7-8   |INSERT INTO x
        7-8   |VALUES (1);
    """,
    "clojure": """
        0-2   |(defn f [x]
        0-2   |  {:a 1
        0-2   |   :b (+ x 1)})
        3     |{:a 1}
        4     |(f 1) ; (
        5     |'x
    """,
    "c++": r"""
        0     |#include <x>
        1-11  |int f(int a)
        1-11  |{
        3-9   |    switch (a) {
        4-6   |    case 1:
        5     |        g();
        6     |        break;
        7-8   |    default:
        8     |        h('{');
        3-9   |    }
        10    |    return 1;
        1-11  |}
        12-15 |std::vector<int> v = {
        12-15 |    1,
        12-15 |    2
        12-15 |};
        16    |int x = 1;
        17-21 |{
        18    |  x;
        19    |#ifdef A
        20    |y;
        17-21 |}
    """,
    "matlab": """
        0-1   |x = [1 2
        0-1   |3 4];
        2-4   |function y = f(x)
        3     |y = x' + x';
        2-4   |end
        5-7   |for i=1:3
        6     |  disp('it''s')
        5-7   |end
        8-9   |x = 1 + ...
        8-9   |  2;
              |%% Section
        11    |x
    """,
    "octave": """
        0-2   |if x
        1     |  y
        0-2   |endif
        3-5   |do
        4     |  x++
        3-5   |until x > 3
    """,
    "lua": """
        0-2   |local t = {
        0-2   |  a = 1,
        0-2   |}
        3-7   |function f()
        4-6   |  if x then
        5     |    y()
        4-6   |  end
        3-7   |end
        8-9   |--[[ long
        8-9   |end ]]
        10-12 |repeat
        11    |  x()
        10-12 |until y
        13    |for i=1,2 do print(i) end
    """,
    "haskell": """
        0-1   |f x =
        1     |  x + 1
        2-4   |main = do
        3     |  print 1
        4     |  print 2
    """,
    "go": """
        0-4   |func f(
        0-4   |  a int,
        0-4   |) {
        3     |  g()
        0-4   |}
    """,
    "rust": """
        0-5   |fn f<'a>(x: &'a str) -> char {
        1-4   |    match x {
        2     |        "{" => '{',
        3     |        _ => 'x',
        1-4   |    }
        0-5   |}
        6-7   |let y = z
        6-7   |    .map(|a| a);
    """,
    "scala": '''
        0-3   |object A {
        1-2   |  def f(x: Int) =
        2     |    x
        0-3   |}
        4-5   |val s = """{
        4-5   |end"""
    ''',
    "elixir": """
        0-7   |defmodule M do
        1-6   |  def f(x) do
        2-5   |    x
        2-5   |    |> g()
        2-5   |    |> h(
        2-5   |    )
        1-6   |  end
        0-7   |end
    """,
    # Of a language that nobody knows, the rules are those that Hydrogen has for all.
    None: """
        0     |a
        1-3   |if b
        2     |  c
        1-3   |end
        1-3   |
        5     |x
        5     |
    """,
}


@pytest.mark.parametrize("language", PROGRAMS, ids=str)
def test_what_runs_for_a_cursor_on_each_row(language: str | None) -> None:
    text, expected = annotated(PROGRAMS[language])

    assert answers(text, language) == expected


def top_level(text: str, language: str) -> list[range]:
    lines = text.split("\n")
    return list(IndentedBlocks(lines, range(len(lines)), lexicon_of(language)).top_level)


@pytest.mark.parametrize(
    ("language", "text", "blocks"),
    [
        ("r", "", []),
        ("r", "\n# only this\n\n", []),
        ("r", "a\n\n# b\nc", [range(1), range(3, 4)]),
        ("r", "f <- function() {\na\n}\nb", [range(3), range(3, 4)]),
        # Closing words under rows that never went deeper join everything back to the opening one.
        ("julia", "x\nfunction f()\nif a\nb\nend\nc\nend\ny", [range(1), range(1, 7), range(7, 8)]),
        ("lua", "x\nfor i=1,2 do\ny\nend", [range(1), range(1, 4)]),
        ("bash", "if a\nthen\nb\nelse\nc\nfi\nd", [range(6), range(6, 7)]),
        ("ruby", "def f\nx\nend if a\ny", [range(1), range(1, 2), range(2, 3), range(3, 4)]),
        # A closing word that nothing opened takes along the block above it, and no more.
        ("julia", "x\ny\nend\nz", [range(1), range(1, 3), range(3, 4)]),
        ("c", "x;\n/* never closed\ny;", [range(1)]),
        ("javascript", "f(\na\nb\n", [range(4)]),
    ],
)
def test_top_level_blocks(language: str, text: str, blocks: list[range]) -> None:
    assert top_level(text, language) == blocks


ROWS = [
    *[
        "",
        "a",
        "  a",
        "    b",
        "\tc",
        "a +",
        "  .b()",
        ";",
        "# c",
        "// d",
        "/*",
        "*/",
        "'",
        '"',
        "`",
        "x = {",
        "{",
        "f(",
    ],
    *["if x {", "} else {", "}", ")", "end", "fi", "do", "else", "function f()", "case x"],
]


@given(
    st.lists(st.sampled_from(ROWS), max_size=25),
    st.sampled_from([language.name for language in LANGUAGES]),
)
@settings(deadline=None)
def test_blocks_are_in_order_and_hold_their_rows(lines: list[str], language: str) -> None:
    blocks = IndentedBlocks(lines, range(len(lines)), lexicon_of(language))
    ends = [0, *(edge for block in blocks.top_level for edge in (block.start, block.stop)), len(lines)]

    assert ends == sorted(ends)
    assert all(blocks.top_level)
    for row in range(len(lines)):
        at = blocks.at(row)
        if lines[row].strip():
            assert at is not None
            assert row in at
        else:
            assert at is None or row in at or at.stop <= row
