"""``kernelway run`` and ``kernelway exec`` with real kernels, in pipes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import Home, Served, bash_kernelspec
from tests.cli.console import kernelway

EXAMPLE = Path(__file__).parents[2] / "examples" / "hello.py"

FAILING = """\
import os

def half(n):
    return 1 / n

half(2)
half(0)
os.getpid()
print("never")
"""


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_example(home: Home) -> None:
    done = kernelway("run", EXAMPLE, environ=home.environ, cwd=home.work)
    assert (done.returncode, done.stderr) == (0, "")
    rows = done.stdout.splitlines()
    first = next(row for row in rows if row.startswith("import platform "))
    second = next(row for row in rows if row.startswith("platform.python_implementation() "))
    assert first.endswith(" [✓]")
    assert second.endswith(" ['CPython']")
    assert first.index("[✓]") == second.index("['CPython']"), "results stand at one column"
    assert max(map(len, rows)) <= 80
    assert any(row.startswith("  │ ") for row in rows), "longer output stands below its code"


def test_an_error_stops_the_run_and_names_the_file_and_its_lines(home: Home) -> None:
    home.write("fail.py", FAILING)
    done = kernelway("run", "fail.py", environ=home.environ, cwd=home.work)
    assert done.returncode == 1
    assert [row.split() for row in done.stdout.splitlines() if row] == [
        row.split()
        for row in (
            "import os           [✓]",
            "def half(n):",
            "    return 1 / n    [✓]",
            "half(2)             [0.5]",
            "half(0)             [✗ ZeroDivisionError: division by zero]",
            "  │ Traceback (most recent call last)",
            "  │ fail.py:7",
            "  │ ----> 7 half(0)",
            "  │ fail.py:4, in half(n)",
            "  │       3 def half(n):",
            "  │ ----> 4     return 1 / n",
            "  │ ZeroDivisionError: division by zero",
        )
    ]
    assert done.stderr == "✗ Stopped at line 7 of fail.py; 2 more statements were not run.\n"


def test_a_syntax_error_names_the_file(home: Home) -> None:
    home.write("broken.py", "x = 1\ny = = 2\n")
    done = kernelway("run", "broken.py", environ=home.environ, cwd=home.work)
    assert done.returncode == 1
    assert "SyntaxError: invalid syntax (broken.py, line 2)" in done.stdout
    assert "  │   broken.py:2\n" in done.stdout


def test_events_for_machines(home: Home) -> None:
    home.write("fail.py", FAILING)
    done = kernelway("run", "fail.py:6-8", "--json", environ=home.environ, cwd=home.work)
    assert done.returncode == 1
    got = events(done.stdout)
    assert [(event["event"], event.get("type")) for event in got] == [
        ("start", None),
        ("output", "error"),
        ("reply", None),
        ("end", None),
    ]
    assert got[0] | {"code": ""} == {"event": "start", "first_line": 6, "last_line": 6, "code": ""}
    assert got[1]["name"] == "NameError"
    assert got[2]["status"] == "error"
    assert got[3] == {"event": "end", "status": "error", "ran": 1, "not_run": 2}


def test_a_line_a_selection_and_a_cell(home: Home) -> None:
    home.write("cells.py", "x = 1\n# %% Two\ny = 2\n\ny + 1\n# %%\n'third'\n")
    for arguments, rows in (
        (("cells.py:3",), ["y = 2    [✓]"]),
        (("cells.py:3-5",), ["y = 2    [✓]", "", "y + 1    [3]"]),
        (("cells.py", "--cell", "2"), ["# %% Two", "y = 2    [✓]", "", "y + 1    [3]"]),
    ):
        done = kernelway("run", *arguments, environ=home.environ, cwd=home.work)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines() == rows


def test_where_there_is_nothing_to_run(home: Home) -> None:
    home.write("cells.py", "# %% Title\n")
    done = kernelway("run", "cells.py:1", environ=home.environ, cwd=home.work)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "There is no code to run in line 1 of cells.py.\n"


def test_another_language(home: Home) -> None:
    bash_kernelspec(Path(home.environ["JUPYTER_DATA_DIR"]))
    home.write(
        "script.sh", 'for x in 1 2; do\n  echo "n $x"\ndone\nexit_with() { return $1; }\nexit_with 3\n'
    )
    done = kernelway("run", "script.sh", environ=home.environ, cwd=home.work)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "for x in 1 2; do",
        '  echo "n $x"',
        "done",
        "  │ n 1",
        "  │ n 2",
        "exit_with() { return $1; }    [✓]",
        "exit_with 3                   [✗ exit status 3]",
    ]


def test_no_kernel_for_the_language(home: Home) -> None:
    home.write("script.jl", "1 + 1\n")
    done = kernelway("run", "script.jl", environ=home.environ, cwd=home.work)
    assert done.returncode == 1
    assert done.stderr == (
        "kernelway: No kernelspec here is for julia; --kernel names one to use all the same. "
        "There are: python3 (python).\n"
    )


def test_a_kernelspec_that_is_not_there(home: Home) -> None:
    home.write("a.py", "1")
    done = kernelway("run", "a.py", "--kernel", "pyhton3", environ=home.environ, cwd=home.work)
    assert done.returncode == 1
    assert "There is no kernelspec 'pyhton3' here. Did you mean 'python3'?" in done.stderr


def test_markdown(home: Home) -> None:
    home.write(
        "read.md", "# Title\n```python\nx = 20\n```\nWords.\n```json\n{}\n```\n```python\nx + 1\n```\n"
    )
    done = kernelway("run", "read.md", environ=home.environ, cwd=home.work)
    assert (done.returncode, done.stdout) == (0, "x = 20    [✓]\n\nx + 1     [21]\n")


def test_the_folder_and_the_environment_of_the_kernel(home: Home) -> None:
    (home.work / "inner").mkdir()
    home.write("where.py", "import os\nos.path.basename(os.getcwd())\nos.environ['ONE'], os.environ['TWO']\n")
    environ = home.environ | {"TWO": "from here"}
    arguments = ("run", "where.py", "--env", "ONE=1=1", "--env", "TWO")
    done = kernelway(*arguments, environ=environ, cwd=home.work)
    assert "['work']" in done.stdout
    assert "[('1=1', 'from here')]" in done.stdout
    done = kernelway(*arguments, "--cwd", "inner", environ=environ, cwd=home.work)
    assert "['inner']" in done.stdout


def test_input_without_a_terminal_is_an_error_that_says_so(home: Home) -> None:
    home.write("ask.py", "name = input('Name? ')\n")
    done = kernelway("run", "ask.py", environ=home.environ, cwd=home.work, stdin="Ada\n")
    assert done.returncode == 1
    assert "there is no terminal to ask at" in done.stderr


def test_a_module_beside_the_file(home: Home) -> None:
    (home.work / "project").mkdir()
    home.write("project/helper.py", "")
    home.write("project/main.py", "import helper\n")
    done = kernelway("run", "project/main.py", environ=home.environ, cwd=home.work)
    assert done.returncode == 1
    assert "`--cwd project` makes it that one." in done.stderr
    done = kernelway("run", "project/main.py", "--cwd", "project", environ=home.environ, cwd=home.work)
    assert done.returncode == 0


def test_output_of_every_kind(home: Home) -> None:
    home.write(
        "show.py",
        "from IPython.display import HTML, SVG, display\n"
        "HTML('<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>')\n"
        "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')\n"
        "handle = display('one', display_id=True)\nhandle.update('two')\n"
        "print('progress', end='\\r'); print('done')\n"
        "import sys; print('error', file=sys.stderr)\n"
        "len?\n",
    )
    done = kernelway("run", "show.py", environ=home.environ, cwd=home.work)
    assert done.returncode == 0, done.stderr
    assert "  │ a  b\n  │ 1  2\n" in done.stdout
    assert "['two']" in done.stdout
    assert "[done]" in done.stdout.replace("doneress", "done")
    assert "[error]" in done.stdout
    assert "Return the number of items in a container." in done.stdout
    picture = next(line for line in done.stdout.splitlines() if "[picture]" in line)
    path = Path(picture.partition("[picture] ")[2].rstrip("]"))
    assert path.read_text().startswith("<svg")
    path.unlink()
    path.parent.rmdir()


def test_a_file_has_one_session_on_a_gateway(home: Home, served: Served) -> None:
    home.save(gpu=served.options)
    home.write("count.py", "n = globals().get('n', 0) + 1\nn\n")
    run = ("run", "count.py", "--on", "gpu")
    first = kernelway(*run, environ=home.environ, cwd=home.work)
    assert "[1]" in first.stdout
    assert first.stderr == (
        "Started count.py (python3) on gpu, which goes on when this command ends:\n"
        "`kernelway shutdown count.py --on gpu` ends it.\n"
    )
    again = kernelway(*run, environ=home.environ, cwd=home.work)
    assert "[2]" in again.stdout
    assert again.stderr == "Joined count.py (python3) on gpu.\n"
    late = kernelway(*run, "--cwd", "/", "--env", "A=1", environ=home.environ, cwd=home.work)
    assert late.stderr.endswith("It runs already, which makes --cwd and --env too late.\n")
    single_name = kernelway("run", "count.py", "--kernel", "python3.gpu", environ=home.environ, cwd=home.work)
    assert "[4]" in single_name.stdout
    wrong = kernelway(*run, "--kernel", "bash", environ=home.environ, cwd=home.work)
    assert "count.py on gpu has a python3 kernel, not bash" in wrong.stderr
    new = kernelway(*run, "--new", environ=home.environ, cwd=home.work)
    assert "[1]" in new.stdout
    other = home.work / "other"
    other.mkdir()
    (other / "count.py").write_text("n = globals().get('n', 0) + 1\nn\n")
    elsewhere = kernelway(*run, environ=home.environ, cwd=other)
    assert "[1]" in elsewhere.stdout, "a file of the same name in another folder is another file"
    ambiguous = kernelway(*run, "--session", "count.py", environ=home.environ, cwd=home.work)
    assert "'count.py' can mean 3 of what runs; say which by its id:" in ambiguous.stderr
    ids = [line.split()[0] for line in ambiguous.stderr.splitlines() if line.startswith("  ")]
    assert len(ids) == 3
    for session in ids:
        ended = kernelway("shutdown", session, "--on", "gpu", environ=home.environ)
        assert ended.returncode == 0, ended.stderr


def test_a_named_session_on_this_machine(home: Home) -> None:
    first = kernelway("exec", "x = 20", "--session", "train", environ=home.environ, cwd=home.work)
    assert first.returncode == 0, first.stderr
    assert "Started train (python3) on local" in first.stderr
    home.write("use.py", "x + 1\n")
    second = kernelway("run", "use.py", "--session", "train", environ=home.environ, cwd=home.work)
    assert second.stdout == "x + 1    [21]\n"
    assert second.stderr == "Joined train (python3) on local.\n"
    bash = home.write("use.sh", "echo 1\n")
    wrong = kernelway("run", bash, "--session", "train", environ=home.environ)
    assert "The code is bash, and train on local runs python" in wrong.stderr
    unknown = kernelway("exec", "1", "--session", "0123abcd", environ=home.environ)
    assert "There is no session or kernel '0123abcd'" in unknown.stderr
    ended = kernelway("shutdown", "train", environ=home.environ)
    assert ended.stdout == "Shut down train (python3) on local.\n"


def test_a_kernel_that_dies(home: Home) -> None:
    home.write("die.py", "import os\nprint('first')\nos._exit(1)\nprint('never')\n")
    done = kernelway("run", "die.py", environ=home.environ, cwd=home.work)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].split() == ["os._exit(1)", "[…]"]
    assert done.stderr.startswith("kernelway: Kernel ")
