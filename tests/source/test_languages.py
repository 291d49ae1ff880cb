"""Languages by file name and by word."""

import pytest

from kernelway.source.languages import LANGUAGES, language_named, language_of, lexicon_of


@pytest.mark.parametrize(
    ("filename", "language"),
    [
        ("a.py", "python"),
        ("dir.r/a.ipy", "python"),
        ("A.PY", "python"),
        ("x.r", "r"),
        ("x.R", "r"),
        ("x.jl", "julia"),
        ("x.sh", "bash"),
        ("x.bash", "bash"),
        ("x.mjs", "javascript"),
        ("x.d.ts", "typescript"),
        ("x.rb", "ruby"),
        ("x.lua", "lua"),
        ("x.scala", "scala"),
        ("x.c", "c"),
        ("x.cpp", "c++"),
        ("x.go", "go"),
        ("x.rs", "rust"),
        ("x.sql", "sql"),
        ("x.md", "markdown"),
        ("x.qmd", "markdown"),
        ("x.Rmd", "markdown"),
        ("x", None),
        (".py", None),
        ("", None),
        ("x.unheard-of", None),
    ],
)
def test_the_extension_tells_the_language(filename: str, language: str | None) -> None:
    assert language_of(filename) == language


@pytest.mark.parametrize(
    ("word", "language"),
    [
        ("R", "r"),
        ("Python3", "python"),
        ("ipython", "python"),
        ("js", "javascript"),
        ("sh", "bash"),
        ("cpp", "c++"),
        ("C++17", "c++"),
        ("c++2b", "c++"),
        (" Julia ", "julia"),
        ("Wolfram Language", "wolfram language"),
    ],
)
def test_kernelspecs_and_people_may_spell_a_language_otherwise(word: str, language: str) -> None:
    assert language_named(word) == language


def test_no_name_and_no_extension_stands_for_two_languages() -> None:
    names = [name for language in LANGUAGES for name in {language.name, *language.aliases}]
    extensions = [extension for language in LANGUAGES for extension in language.extensions]

    assert len(names) == len(set(names))
    assert len(extensions) == len(set(extensions))


def test_languages_without_a_lexicon_are_read_all_the_same() -> None:
    assert lexicon_of(None) == lexicon_of("wolfram language")
    assert lexicon_of("r") != lexicon_of(None)
