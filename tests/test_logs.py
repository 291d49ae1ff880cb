"""The log: how lines look, and that no token is in one."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import time
from collections.abc import Iterator

import pytest

from kernelway import logs
from kernelway.logs import JsonLines, TextLines
from kernelway.settings import LogFormat, LogLevel

SECRET = "Zm9vL2Jhcg-_x"

FORMATS = pytest.mark.parametrize("kind", [TextLines, JsonLines])

LEAKS = [
    f"GET /api/kernels?token={SECRET}",
    f"GET /api/kernels?a=b&token={SECRET}&c=d",
    f"GET /api/kernels?TOKEN={SECRET}",
    f"{{'Authorization': 'token {SECRET}'}}",
    f"Authorization: Bearer {SECRET}",
    f"the token is {SECRET}, which nobody may know",
    f"[{SECRET}]",
    f'"{SECRET}"',
    f"({SECRET}) and {SECRET}\n{SECRET}",
    f"ws://x/{SECRET}/y",
]


def record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    made = logging.LogRecord("kernelway.host.kernel", logging.WARNING, "f.py", 1, message, args, info)
    made.created = 1_795_199_400.25
    return made


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - it is made here, and is what is handed back.
        return caught


# Tokens


@FORMATS
@pytest.mark.parametrize("leak", LEAKS)
def test_the_gateways_token_is_hidden_wherever_it_stands(kind: type[TextLines], leak: str) -> None:
    formatter = kind([SECRET])
    for made in (
        record(leak.replace("%", "%%")),
        record("%s", leak),
        record("%s and %r", 1, [leak]),
        record("it failed", error=raised(ValueError(leak))),
        record("%s", leak, error=raised(KeyError(leak))),
    ):
        line = formatter.format(made)
        assert SECRET not in line
        assert "[hidden]" in line


@FORMATS
@pytest.mark.parametrize("leak", [each for each in LEAKS if re.search(r"(?i)token=|authorization", each)])
def test_a_token_of_somebody_else_is_hidden_where_it_is_known_for_one(
    kind: type[TextLines], leak: str
) -> None:
    line = kind([]).format(record("%s", leak, error=raised(ValueError(leak))))
    assert SECRET not in line


@FORMATS
def test_a_chain_of_errors_is_hidden_too(kind: type[TextLines]) -> None:
    first = raised(ValueError(f"token={SECRET}"))
    second = raised(RuntimeError("outer"))
    second.__cause__ = first
    line = kind([SECRET]).format(record("it failed", error=second))
    assert "ValueError" in line
    assert SECRET not in line


@FORMATS
@pytest.mark.parametrize("token", ["a.b*c", "(", "$^", "~!@#", "\\d"])
def test_a_token_may_have_signs_that_mean_something_to_a_pattern(kind: type[TextLines], token: str) -> None:
    assert token not in json.dumps(kind([token]).format(record("x %s x", token))).replace("\\\\", "\\")


@FORMATS
@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_a_token_nothing_else_is_hidden(kind: type[TextLines], secrets: list[str]) -> None:
    line = kind(secrets).format(record("no token here: %s", "plain"))
    assert "no token here: plain" in line
    assert "[hidden]" not in line


@FORMATS
def test_a_short_token_hides_itself_and_not_the_words_it_is_in(kind: type[TextLines]) -> None:
    line = kind(["x"]).format(record("an extra x in the text"))
    assert "an extra [hidden] in the text" in line


# How lines look


def test_a_line_of_text() -> None:
    made = record("it was %s", "slow")
    local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(made.created))
    assert TextLines([]).format(made) == f"{local} W kernel: it was slow"


def test_a_line_of_json_is_one_line_in_utc() -> None:
    line = JsonLines([]).format(record("two\nlines é", error=raised(ValueError("x"))))
    assert "\n" not in line
    told = json.loads(line)
    assert told.keys() == {"time", "level", "logger", "message"}
    assert told["time"] == "2026-11-20T18:30:00.250+00:00"
    assert (told["level"], told["logger"]) == ("warning", "kernelway.host.kernel")
    assert told["message"].startswith("two\nlines é\nTraceback (most recent call last):\n")


# Configuring


@pytest.fixture
def untouched() -> Iterator[None]:
    """Put the loggers of this process back as they were."""
    loggers = [
        logging.getLogger(name) for name in ("", "kernelway", "traitlets", "kernelway.host.run.launcher")
    ]
    levels = [logger.level for logger in loggers]
    handlers = loggers[0].handlers[:]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    loggers[0].handlers[:] = handlers


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("level", "said"),
    [
        (LogLevel.DEBUG, ["debug", "info", "warning", "error"]),
        (LogLevel.INFO, ["info", "warning", "error"]),
        (LogLevel.WARNING, ["warning", "error"]),
        (LogLevel.ERROR, ["error"]),
    ],
)
def test_lines_from_a_severity_on_are_written(level: LogLevel, said: list[str]) -> None:
    stream = io.StringIO()
    logs.configure(level=level, format_=LogFormat.JSON, secrets=[SECRET], stream=stream)
    for name in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger("kernelway.test"), name)("token=%s", SECRET)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["level"] for line in lines] == said
    assert {line["message"] for line in lines} == {"token=[hidden]"}


@pytest.mark.usefixtures("untouched")
def test_what_others_say_is_written_from_warnings_on_and_hidden_as_well() -> None:
    stream = io.StringIO()
    logs.configure(level=LogLevel.INFO, format_=LogFormat.TEXT, secrets=[SECRET], stream=stream)
    logging.getLogger("aiohttp.server").info("chatter")
    logging.getLogger("aiohttp.server").error("bad request line", exc_info=raised(ValueError(SECRET)))
    # What is told in one sentence by ourselves is not told again with a traceback by those below.
    logging.getLogger("kernelway.host.run.launcher").error("failed")
    logging.getLogger("traitlets").error("failed")
    assert stream.getvalue().count(" E server: bad request line") == 1
    assert len(re.findall(r"^\d", stream.getvalue(), re.MULTILINE)) == 1
    assert SECRET not in stream.getvalue()


@pytest.mark.usefixtures("untouched")
def test_the_log_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level=LogLevel.INFO, format_=LogFormat.TEXT)
    assert logging.getLogger().handlers[-1].stream is sys.stderr  # type: ignore[attr-defined]
    logging.getLogger("kernelway.x").warning("hello")
    told = capsys.readouterr()
    assert (told.out, told.err.endswith(" W x: hello\n")) == ("", True)
