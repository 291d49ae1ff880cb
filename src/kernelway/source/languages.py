"""Languages by file name and by the words people use for them, under the names that kernelspecs use.

Kernelspecs and editors spell one language in several ways ("R", "C++17", "shellscript"). The names here are
lower-case and without a version, and `language_named` brings any of those spellings to them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import Final

from kernelway.source import lexicons
from kernelway.source.lexicons import Lexicon

MARKDOWN: Final = "markdown"
PYTHON: Final = "python"


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its kernelspec name, its file extensions, its other names, and how it is written."""

    name: str
    extensions: tuple[str, ...]
    aliases: tuple[str, ...]
    lexicon: Lexicon


LANGUAGES: Final = (
    Language(PYTHON, ("py", "pyw", "pyi", "ipy"), ("py", "python3", "ipython", "ipython3"), lexicons.PYTHON),
    Language("r", ("r",), ("rscript", "splus"), lexicons.R),
    Language("julia", ("jl",), ("jl",), lexicons.JULIA),
    Language("bash", ("sh", "bash", "zsh"), ("sh", "shell", "shellscript", "zsh"), lexicons.SHELL),
    Language(
        "javascript",
        ("js", "mjs", "cjs", "jsx"),
        ("js", "node", "nodejs", "jsx", "javascriptreact"),
        lexicons.JAVASCRIPT,
    ),
    Language(
        "typescript", ("ts", "mts", "cts", "tsx"), ("ts", "tsx", "typescriptreact"), lexicons.JAVASCRIPT
    ),
    Language("ruby", ("rb",), ("rb",), lexicons.RUBY),
    Language("lua", ("lua",), (), lexicons.LUA),
    Language("scala", ("scala", "sc"), (), lexicons.JVM),
    Language("c", ("c", "h"), (), lexicons.C),
    Language("c++", ("cpp", "cc", "cxx", "hpp", "hh", "hxx"), ("cpp", "cxx", "cc"), lexicons.C),
    Language("go", ("go",), ("golang",), lexicons.GO),
    Language("rust", ("rs",), ("rs",), lexicons.RUST),
    Language("sql", ("sql",), ("sqlite", "postgresql", "mysql"), lexicons.SQL),
    Language("haskell", ("hs",), ("hs",), lexicons.HASKELL),
    Language("matlab", ("m",), (), lexicons.MATLAB),
    Language("octave", (), (), lexicons.OCTAVE),
    Language("lisp", ("lisp", "lsp", "cl", "el"), ("common-lisp", "commonlisp", "elisp"), lexicons.LISP),
    Language("clojure", ("clj", "cljs", "cljc"), ("clj",), lexicons.LISP),
    Language("scheme", ("scm", "ss"), (), lexicons.LISP),
    Language("racket", ("rkt",), (), lexicons.LISP),
    Language("java", ("java", "jsh"), (), lexicons.JVM),
    Language("kotlin", ("kt", "kts"), (), lexicons.JVM),
    Language("groovy", ("groovy",), (), lexicons.JVM),
    Language("swift", ("swift",), (), lexicons.JVM),
    Language("c#", ("cs", "csx"), ("csharp", "cs"), lexicons.C),
    Language("f#", ("fs", "fsx"), ("fsharp", "fs"), lexicons.ML),
    Language("ocaml", ("ml",), ("ml",), lexicons.ML),
    Language("powershell", ("ps1",), ("pwsh",), lexicons.HASH),
    Language("php", ("php",), (), lexicons.PHP),
    Language("perl", ("pl", "pm"), (), lexicons.HASH),
    Language("elixir", ("ex", "exs"), (), lexicons.ELIXIR),
    Language("crystal", ("cr",), (), lexicons.RUBY),
    Language("nim", ("nim",), (), lexicons.HASH),
    Language("coffeescript", ("coffee",), ("coffee",), lexicons.HASH),
    Language("tcl", ("tcl",), (), lexicons.HASH),
    Language("erlang", ("erl",), (), lexicons.PERCENT),
    Language("prolog", ("pro",), (), lexicons.PERCENT),
    Language(
        MARKDOWN,
        ("md", "markdown", "qmd", "rmd", "mkd", "myst"),
        ("md", "rmd", "rmarkdown", "quarto"),
        lexicons.UNKNOWN,
    ),
)

_BY_NAME: Final[Mapping[str, Language]] = MappingProxyType(
    {name: language for language in LANGUAGES for name in (*language.aliases, language.name)}
)
_BY_EXTENSION: Final[Mapping[str, str]] = MappingProxyType(
    {extension: language.name for language in LANGUAGES for extension in language.extensions}
)
_C_STANDARD: Final = re.compile(r"c\+\+\d\w")


def language_of(filename: str) -> str | None:
    """The language of a file by its extension, None where that does not tell. Only the name is looked at."""
    return _BY_EXTENSION.get(PurePath(filename).suffix.removeprefix(".").lower())


def language_named(word: str) -> str:
    """The name here for a kernelspec's language or for a word that people use ("R", "C++17", "js",
    "python3").

    A word that is not known comes back in lower case: there are kernels for languages that this table lacks.
    """
    name = word.strip().lower()
    if _C_STANDARD.fullmatch(name):
        return "c++"
    language = _BY_NAME.get(name)
    return name if language is None else language.name


def lexicon_of(language: str | None) -> Lexicon:
    """How `language` is written, or a guess that suits most for one that is not known."""
    known = None if language is None else _BY_NAME.get(language)
    return lexicons.UNKNOWN if known is None else known.lexicon
