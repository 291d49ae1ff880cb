"""What the lexer sees in rows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernelway.source import lexicons
from kernelway.source.languages import LANGUAGES, lexicon_of
from kernelway.source.lexer import Scan, scan
from kernelway.source.lexicons import Lexicon


def read(text: str, lexicon: Lexicon) -> Scan:
    lines = text.split("\n")
    return scan(lines, range(len(lines)), lexicon)


@pytest.mark.parametrize(
    ("lexicon", "text", "rows"),
    [
        (lexicons.PYTHON, 'x = """\n# a\n"""\ny', {1, 2}),
        (lexicons.PYTHON, 'x = \'\'\'"""\n\'\'\'\n"""\n"""', {1, 3}),
        (lexicons.PYTHON, "x = 'a\\\nb'\ny", {1}),
        (lexicons.PYTHON, "# '''\nx\n# '''", set()),
        (lexicons.PYTHON, "x = 'a\ny = '''\n'''", {2}),
        (lexicons.PYTHON, "!echo '''\nx\n'''\n'''", {3}),
        (lexicons.R, 'x <- "a\nb"\ny', {1}),
        (lexicons.JULIA, 'x = """\na"b\n"""\ny = a\' * b\'\n', {1, 2}),
        (lexicons.SHELL, "awk '\na'\ncat <<EOF | grep \"x\"\nit's\nEOF\ny", {1, 3, 4}),
        (lexicons.SHELL, "cat <<-'A' <<B\na\n\tA\nb\nB\ny", {1, 2, 3, 4}),
        (lexicons.SHELL, "x=$((1 << y))\nz", set()),
        (lexicons.SHELL, "cat <<< EOF\nx", set()),
        (lexicons.SHELL, "echo it\\'s # isn't\ny", set()),
        (lexicons.RUBY, "f(<<~SQL, 1)\nselect\nSQL\ny << X", {1, 2}),
        (lexicons.JAVASCRIPT, "x = `a\n${b}`\n'`'\ny", {1}),
        (lexicons.LUA, "x = [==[\n]]\n]==]\ny", {1, 2}),
        (lexicons.RUST, "fn f<'a>(x: &'a str) { '\"' }\nr#\"a\n\"b\"#", {2}),
        (lexicons.SQL, "select 'it''s\n--'\nx", {1}),
        (lexicons.MATLAB, "x = y' + 'a''b'\n(z')'\n", set()),
        (lexicons.LISP, '(a \\" "b\nc")', {1}),
    ],
)
def test_rows_inside_strings(lexicon: Lexicon, text: str, rows: set[int]) -> None:
    assert read(text, lexicon).in_strings == rows


@pytest.mark.parametrize(
    ("lexicon", "text", "rows"),
    [
        (lexicons.C, "/* a\n' { */ x\ny // /*\nz", {1}),
        (lexicons.C, '"/*"\nx', set()),
        (lexicons.JULIA, "#= a\nend =#\n# #=\nx", {1}),
        (lexicons.LUA, "--[==[ a\n]] ]==]\nx", {1}),
        (lexicons.HASKELL, "{- a\n-}\nx", {1}),
        (lexicons.MATLAB, "%{\na\n%}\nx %{ a\ny", {1, 2}),
        (lexicons.RUBY, "=begin\na\n=end\nx", {1, 2}),
        (lexicons.C, "x /* never closed\ny\nz", {1, 2}),
    ],
)
def test_rows_inside_comments(lexicon: Lexicon, text: str, rows: set[int]) -> None:
    assert read(text, lexicon).in_comments == rows


@pytest.mark.parametrize(
    ("lexicon", "text", "rows"),
    [
        (lexicons.PYTHON, "f(a,\nb)\nc", {1}),
        (lexicons.PYTHON, "x = {\n[\n1]}\nc", {1, 2}),
        (lexicons.PYTHON, "x = ')'\n(')'\n)", {2}),
        # A word that no bracket may hold ends the reach of one that was never closed.
        (lexicons.PYTHON, "f(a,\nb\ndef g():\n  x", {1}),
        (lexicons.PYTHON, "f(a,\nimporting\nimport os\nx", {1}),
        (lexicons.C, "f(a,\nb);\n{\nx", {1}),
        (lexicons.JAVASCRIPT, "x = {\na: {\nb\n}\n}\nc", {1, 2, 3, 4}),
        (lexicons.JAVASCRIPT, "f(() => {\na\n})\nb", set()),
        (lexicons.JAVASCRIPT, "switch (x) {\ncase 1: {\na\n}\n}", set()),
        (lexicons.R, "tryCatch({\na\n}, b,\nc)", {3}),
        (lexicons.LISP, "(a\n{:b\n1})\nc", {1, 2}),
        (lexicons.R, "f)\nx", set()),
        # A closing bracket closes nothing of another kind, unless its own is open further out.
        (lexicons.R, "f(a,\n]\nb)\nc", {1, 2}),
        (lexicons.R, "f(a[\nb)\nc", {1}),
    ],
)
def test_rows_inside_brackets(lexicon: Lexicon, text: str, rows: set[int]) -> None:
    assert read(text, lexicon).in_brackets == rows


@pytest.mark.parametrize(
    ("text", "magics"),
    [
        ("%matplotlib inline\nx", [range(1)]),
        ("  %time f(\nx", [range(1)]),
        ("!ls \\\n  -la\nx", [range(2)]),
        ("files = !ls\nx = %time f()", [range(1), range(1, 2)]),
        ("f?\nf??\n?f\na.b*?", [range(1), range(1, 2), range(2, 3), range(3, 4)]),
        ("/f 1\n,g a b\n;h a", [range(1), range(1, 2), range(2, 3)]),
        ("x = ('%s'\n% y)", []),
        ("x = 7 \\\n% 2", []),
        ("x = '''\n%time\n!ls\n'''", []),
        ("x != y\nx %= 2\nx = y % 2", []),
        ("x = 'a?'\n# what?\nx", []),
        ("f(a=1,\nb=!c)", []),
    ],
)
def test_rows_of_ipython_s_own(text: str, magics: list[range]) -> None:
    assert list(read(text, lexicons.PYTHON).magics) == magics


def test_bare_rows_have_neither_comments_nor_text() -> None:
    seen = read("f('#', \"a\") # b\nx = '''\ny''' + z # '\n", lexicons.PYTHON)

    assert seen.bare == ('f("", "") ', 'x = ""', " + z ", "")


def test_the_arms_of_a_shell_s_case_close_no_brace() -> None:
    seen = read("f() {\ncase x in\na) b ;;\nesac\n}\nc", lexicons.SHELL)

    assert seen.braces[:6] == (0, 1, 1, 1, 1, 0)


def test_rows_count_from_the_document_s_first() -> None:
    seen = scan(["(", "`", "a`", "{", "b"], range(1, 5), lexicons.JAVASCRIPT)

    assert seen.in_strings == {2}
    assert [seen.braces_at(row) for row in range(1, 5)] == [0, 0, 0, 1]
    assert seen.bare_row(4) == "b"


@given(
    st.text(st.sampled_from("\"'`#/*-%{}()[]<=\\\n ;?!abEOF_|~"), max_size=200),
    st.sampled_from([language.name for language in LANGUAGES]),
)
@settings(deadline=None)
def test_any_text_can_be_read(text: str, language: str) -> None:
    lines = text.split("\n")
    seen = read(text, lexicon_of(language))

    assert len(seen.bare) == len(lines)
    assert all(row in range(len(lines)) for row in seen.in_strings | seen.in_comments)


LEXICONS = {lexicon_of(language.name): language.name for language in LANGUAGES}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("lexicon", LEXICONS, ids=LEXICONS.values())
def test_a_long_row_is_read_once(lexicon: Lexicon) -> None:
    # A reading that went back over the row would take minutes.
    for piece in ('"', "'", "`", "/*", "(", "{", "<<A ", "#=", "\\", "a?", " ", "--[[", "a b "):
        read(piece * (50_000 // len(piece)), lexicon)
