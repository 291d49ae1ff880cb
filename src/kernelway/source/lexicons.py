"""How the families of languages write comments, strings and brackets: just enough to tell code from text.

Nobody parses these languages here. A lexicon lets the lexer see which rows begin inside a string, a comment
or a bracket, and errs where a language is subtle (a regular expression in JavaScript, a string inside an
f-string's braces). What it gets wrong makes a block larger or smaller; it loses no code.
"""

from dataclasses import dataclass, replace
from typing import Final

# Fragments of regular expressions, for re.DOTALL | re.MULTILINE. Possessive repeats keep an unfinished string
# from backtracking, and an unfinished comment reaches to the end, so that every fragment takes linear time.
_DOUBLE: Final = r'"(?:[^"\\\n]++|\\.)*+"'
_SINGLE: Final = r"'(?:[^'\\\n]++|\\.)*+'"
_DOUBLE_LONG: Final = r'"(?:[^"\\]++|\\.)*+"'
_SINGLE_LONG: Final = r"'(?:[^'\\]++|\\.)*+'"
_SINGLE_RAW: Final = r"'[^']*+'"
_BACKTICK: Final = r"`[^`\n]*+`"
_BACKTICK_RAW: Final = r"`[^`]*+`"
_BACKTICK_LONG: Final = r"`(?:[^`\\]++|\\.)*+`"
# With a look ahead inside, a possessive repeat fails in Python 3.11.2, and an atomic group of one does not.
_TRIPLE_DOUBLE: Final = r'"""(?>(?:[^"\\]++|\\.|"(?!""))*)"""'
_TRIPLE_SINGLE: Final = r"'''(?>(?:[^'\\]++|\\.|'(?!''))*)'''"
_CHARACTER: Final = r"'(?:[^'\\\n]|\\[^'\n]++|\\')'"
_ESCAPED: Final = r"\\[^\n]"
_SLASH_STAR: Final = r"/\*(?:.*?\*/|.*)"
# In MATLAB a quote behind a value transposes it, and only elsewhere opens a string.
_AFTER_NO_VALUE: Final = r"(?<![\w)\]}'.])" + _SINGLE
_SHELL_HERE: Final = r"""(?<!<)<<(?!<)-?[ \t]*\\?["']?(?P<tag>[A-Za-z_]\w*)\b["']?(?![ \t]*\)\))"""
_RUBY_HERE: Final = r"""<<[-~]["']?(?P<tag>[A-Z_]\w*)["']?"""

_EVERY_BRACKET: Final = r"[(\[{]"
_ROUND_OR_SQUARE: Final = r"[(\[]"
_ROUND_SQUARE_OR_LITERAL: Final = r"[(\[]|(?<=[=(,\[?])[ \t]*\{"

# A row that ends so cannot be the end of its statement. Operators that also end whole statements (`i++`, a
# glob's star) need a space in front of them.
_OPERATOR: Final = r"\\|,|\.\.\.|%[^%\s]*%|\|>|\|\||&&|(?<!\+)\+|~|[ \t][-*/^]"
_SHELL_OPERATOR: Final = r"\\|\|\|?|&&"
_LEADING_OPERATOR: Final = r"\|>|&&|\|\|"
_LEADING_DOT: Final = r"\.[A-Za-z_]|\?\.|&\.\w|" + _LEADING_OPERATOR
_NOTHING: Final = r"(?!)"

# `end` closes where nothing that would make it a name follows.
_END: Final = r"end(?=\s*(?:$|[;,.)\]}]))"
_BRACE_OPENERS: Final = r"(?:if|else|for|while|do|try)\b"
_BRACE_CLAUSES: Final = r"(?:else|catch|finally)\b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """A family's spelling: prefixes in `comments`, fragments of regular expressions in every other field.

    Strings and comments, for the lexer: `comments` run to the row's end and need `comment_after` in front of
    them; `block_comments` and `strings` may span rows; `here_document` announces text from the next row to
    one that holds only what its group `tag` matched.

    Statements that span rows: those in the brackets of `joining` (rows in the other braces are statements of
    their own), after a row that ends in `unfinished`, before one that begins with `going_on`, and up to
    `terminator` where it is not empty.

    Blocks: `openers` begin one, `clauses` continue it, `closers` end it, each at a row's start. Closing
    brackets need no mention. With `names_all_openers` there is nothing else that a word could close.
    """

    comments: tuple[str, ...] = ("#",)
    comment_after: str = ""
    block_comments: tuple[str, ...] = ()
    strings: tuple[str, ...] = (_DOUBLE, _SINGLE)
    here_document: str = _NOTHING
    joining: str = _ROUND_OR_SQUARE
    unfinished: str = _OPERATOR
    going_on: str = _LEADING_OPERATOR
    terminator: str = ""
    openers: str = _BRACE_OPENERS
    clauses: str = _BRACE_CLAUSES
    closers: str = _NOTHING
    names_all_openers: bool = False

    @property
    def has_braced_blocks(self) -> bool:
        """Whether there are braces whose rows are statements of their own."""
        return self.joining != _EVERY_BRACKET

    @property
    def has_closing_words(self) -> bool:
        """Whether every block that a word opens needs another to close it."""
        return self.closers != _NOTHING and self.openers != _BRACE_OPENERS


PYTHON: Final = Lexicon(
    strings=(_TRIPLE_DOUBLE, _TRIPLE_SINGLE, _DOUBLE, _SINGLE),
    joining=_EVERY_BRACKET,
    unfinished=r"\\",
    going_on=_NOTHING,
    openers=r"(?:async|if|elif|else|for|while|try|except|finally|with|def|class|match|case)\b",
    clauses=r"(?:else|elif|except|finally)\b",
)
HASH: Final = Lexicon(clauses=r"(?:else|elif|elsif|elseif|catch|except|finally)\b", closers=_END)
R: Final = Lexicon(strings=(_DOUBLE_LONG, _SINGLE_LONG, _BACKTICK), clauses=r"else\b", closers=_END)
JULIA: Final = Lexicon(
    block_comments=(r"#=(?:.*?=#|.*)",),
    strings=(_TRIPLE_DOUBLE, _DOUBLE_LONG, _CHARACTER, _BACKTICK_LONG),
    openers=r"(?:function|if|for|while|begin|let|try|module|baremodule|mutable|struct|macro|quote)\b"
    r"|.*\b(?:do(?:\s+\w+(?:\s*,\s*\w+)*)?|begin|quote)\s*$",
    clauses=r"(?:else|elseif|catch|finally)\b",
    closers=_END,
)
SHELL: Final = Lexicon(
    comment_after=r"(?<![^\s;(])",
    strings=(_ESCAPED, _DOUBLE_LONG, _SINGLE_RAW),
    here_document=_SHELL_HERE,
    unfinished=_SHELL_OPERATOR,
    going_on=_NOTHING,
    openers=r"(?:if|for|while|until|case|select|function)\b|[\w-]+\s*\(\)\s*$"
    r"|.*\b(?:do|then|in)\s*$|.*[|&!]\s*(?:if|for|while|until|case|select)\b",
    clauses=r"(?:then|do|else|elif)\b",
    closers=r"(?:fi|done|esac)(?=\s*(?:$|[;&|<>)\\]|\d>))",
    names_all_openers=True,
)
_RUBY_OPENERS: Final = (
    r"(?:if|unless|while|until|for|case|begin|def|class|module)\b|.*(?:\bdo|\bdo\s*\|[^|]*\|)\s*$"
)
RUBY: Final = Lexicon(
    block_comments=(r"^=begin\b(?:.*?^=end\b|.*)",),
    strings=(_DOUBLE_LONG, _SINGLE_LONG),
    here_document=_RUBY_HERE,
    joining=_ROUND_SQUARE_OR_LITERAL,
    going_on=_LEADING_DOT,
    openers=_RUBY_OPENERS,
    clauses=r"(?:else|elsif|rescue|ensure|when|then|in)\b",
    closers=_END,
)
ELIXIR: Final = Lexicon(
    strings=(_TRIPLE_DOUBLE, _DOUBLE_LONG, _SINGLE_LONG),
    openers=r".*\bdo\s*$",
    clauses=r"(?:else|rescue|catch|after)\b",
    closers=_END,
)
LUA: Final = Lexicon(
    comments=("--",),
    block_comments=(r"--\[(?P<level>=*)\[(?:.*?\](?P=level)\]|.*)",),
    strings=(r"\[(?P<long>=*)\[.*?\](?P=long)\]", _DOUBLE, _SINGLE),
    joining=_EVERY_BRACKET,
    openers=r"(?:if|for|while|function|local\s+function|repeat|do)\b|.*\bfunction\s*\([^)]*\)\s*$",
    clauses=r"(?:else|elseif)\b",
    closers=rf"(?:{_END}|until\b)",
)
C: Final = Lexicon(
    comments=("//",),
    block_comments=(_SLASH_STAR,),
    strings=(_DOUBLE, _CHARACTER),
    joining=_ROUND_SQUARE_OR_LITERAL,
    going_on=_LEADING_DOT,
)
_BRACES: Final = replace(C, joining=_ROUND_OR_SQUARE)
JVM: Final = replace(_BRACES, strings=(_TRIPLE_DOUBLE, _DOUBLE, _CHARACTER))
GO: Final = replace(_BRACES, strings=(_BACKTICK_RAW, _DOUBLE, _CHARACTER))
RUST: Final = replace(_BRACES, strings=(r'\br(?P<hashes>#*)".*?"(?P=hashes)', _DOUBLE_LONG, _CHARACTER))
PHP: Final = replace(C, comments=("//", "#"), strings=(_DOUBLE_LONG, _SINGLE_LONG))
JAVASCRIPT: Final = replace(C, strings=(_BACKTICK_LONG, _DOUBLE, _SINGLE))
SQL: Final = Lexicon(
    comments=("--",), block_comments=(_SLASH_STAR,), strings=(_SINGLE_LONG, _DOUBLE), terminator=";"
)
HASKELL: Final = Lexicon(
    comments=("--",),
    block_comments=(r"\{-(?:.*?-\}|.*)",),
    strings=(_DOUBLE_LONG, _CHARACTER),
    joining=_EVERY_BRACKET,
    clauses=r"(?:else|then|where)\b",
)
ML: Final = Lexicon(
    comments=("//",),
    block_comments=(r"\(\*(?:.*?\*\)|.*)",),
    strings=(_TRIPLE_DOUBLE, _DOUBLE_LONG, _CHARACTER),
    joining=_EVERY_BRACKET,
    clauses=r"(?:else|then|in|with|and)\b",
)
LISP: Final = Lexicon(
    comments=(";",),
    block_comments=(r"#\|(?:.*?\|#|.*)",),
    strings=(_ESCAPED, _DOUBLE_LONG),
    joining=_EVERY_BRACKET,
    unfinished=_NOTHING,
    going_on=_NOTHING,
)
PERCENT: Final = Lexicon(comments=("%",))
MATLAB: Final = Lexicon(
    comments=("%",),
    block_comments=(r"^[ \t]*%\{[ \t]*$(?:.*?^[ \t]*%\}[ \t]*$|.*)",),
    strings=(_DOUBLE, _AFTER_NO_VALUE),
    joining=_EVERY_BRACKET,
    unfinished=r"\.\.\.",
    going_on=_NOTHING,
    openers=r"(?:function|if|for|parfor|while|switch|try|classdef|properties|methods|do|unwind_protect)\b",
    clauses=r"(?:else|elseif|case|otherwise|catch|unwind_protect_cleanup)\b",
    names_all_openers=True,
    closers=rf"(?:{_END}|end(?:if|for|while|function|switch|_try_catch|_unwind_protect)\b|until\b)",
)
OCTAVE: Final = replace(
    MATLAB,
    comments=("%", "#"),
    block_comments=(r"^[ \t]*[%#]\{[ \t]*$(?:.*?^[ \t]*[%#]\}[ \t]*$|.*)",),
    unfinished=r"\.\.\.|\\",
)
UNKNOWN: Final = Lexicon(
    comments=("#", "//"),
    clauses=r"(?:else|elif|elsif|elseif|catch|except|finally|rescue|then)\b",
    closers=rf"(?:{_END}|{SHELL.closers})",
)
