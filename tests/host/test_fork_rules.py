"""Which commands and which variables allow a fork."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.host.fork_rules import Interpreter, Unforkable, acting, check_variables, interpreter_of

PLAIN = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


@pytest.mark.parametrize(
    ("argv", "interpreter"),
    [
        (["/usr/bin/python3", *PLAIN], ("/usr/bin/python3",)),
        (["/v/bin/python", "-m", "ipykernel", "-f", "k.json"], ("/v/bin/python",)),
        (["/p", *PLAIN, "--no-stdout", "--debug"], ("/p",)),
        (["/p", "-Xfrozen_modules=off", *PLAIN], ("/p", "-Xfrozen_modules=off")),
        (["/p", "-X", "frozen_modules=off", *PLAIN], ("/p", "-X", "frozen_modules=off")),
        (["/p", "-X", "frozen_modules", *PLAIN], ("/p", "-X", "frozen_modules")),
        (["/p", "-I", "-s", "-OO", *PLAIN], ("/p", "-I", "-s", "-OO")),
    ],
)
def test_a_plain_launch_of_ipykernel_can_be_forked(argv: list[str], interpreter: tuple[str, ...]) -> None:
    assert interpreter_of(argv) == Interpreter(interpreter)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ([], "path of a Python"),
        (["python", *PLAIN], "path of a Python"),
        (["./python", *PLAIN], "path of a Python"),
        (["/usr/bin/env", "python", *PLAIN], "its command has python"),
        (["/p"], "no plain launch|not a plain launch"),
        (["/p", "-m"], "not a plain launch"),
        (["/p", "-m", "bash_kernel", "-f", "x"], "not a plain launch"),
        (["/p", "kernel.py", "x"], "its command has kernel.py"),
        (["/p", "-c", "import ipykernel", *PLAIN], "its command has -c"),
        (["/p", "-X"], "its command has -X"),
        (["/p", "-X", "dev", *PLAIN], "its command has -X dev"),
        (["/p", "-Xfaulthandler", *PLAIN], "its command has -Xfaulthandler"),
        (["/p", "-W", "error", *PLAIN], "its command has -W"),
        (["/p", "-u", *PLAIN], "its command has -u"),
        (["/opt/conda/bin/conda", "run", "python", *PLAIN], "its command has run"),
    ],
)
def test_anything_else_is_started_by_command(argv: list[str], reason: str) -> None:
    with pytest.raises(Unforkable, match=reason):
        interpreter_of(argv)


@given(
    st.lists(st.sampled_from(["/p", "python", "-m", "-X", "-I", "ipykernel_launcher", "ipykernel", "-f", ""]))
)
def test_a_fork_server_has_the_flags_and_nothing_else(argv: list[str]) -> None:
    try:
        interpreter = interpreter_of(argv)
    except Unforkable:
        return
    flags = len(interpreter.argv)
    assert list(interpreter.argv) == argv[:flags]
    assert argv[flags] == "-m"
    assert argv[flags + 1] in ("ipykernel_launcher", "ipykernel")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PYTHONPATH",
            "PYTHONHASHSEED",
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "MALLOC_ARENA_MAX",
            "LANG",
            "LC_ALL",
        ),
        *(
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "RAYON_NUM_THREADS",
            "OMP_PROC_BIND",
            "MKL_DYNAMIC",
            "TZ",
        ),
    ],
)
def test_what_acts_when_an_interpreter_starts_is_not_forked(name: str) -> None:
    assert acting([name, "MINE"]) == [name]
    with pytest.raises(Unforkable, match=f"its own {name}, read"):
        check_variables({}, {name: "1"}, ())
    with pytest.raises(Unforkable, match=f"its own {name}, read"):
        check_variables({name: "1"}, {}, ())
    with pytest.raises(Unforkable, match=f"its own {name}, read"):
        check_variables({name: "1"}, {name: "2"}, ())
    check_variables({name: "1"}, {name: "1", "MINE": "2"}, ())


def test_what_imports_looked_up_is_not_forked() -> None:
    check_variables({"TERM": "dumb"}, {"TERM": "xterm"}, {"HOME"})
    with pytest.raises(Unforkable, match="its own HOME, TERM, read"):
        check_variables({"TERM": "dumb", "HOME": "/a"}, {"TERM": "xterm"}, {"HOME", "TERM"})


def test_what_every_kernel_has_of_its_own_is_no_reason() -> None:
    ours = {"JPY_PARENT_PID": "1", "KERNELWAY_KERNEL_ID": "", "PATH": "/bin"}
    theirs = {"JPY_PARENT_PID": "2", "KERNELWAY_KERNEL_ID": "a", "PATH": "/usr/bin"}
    check_variables(ours, theirs, {"JPY_PARENT_PID", "PATH"})


names = st.sampled_from(["PYTHONPATH", "LANG", "MINE", "HOME", "PATH"])


@given(st.dictionaries(names, st.text()), st.dictionaries(names, st.text()), st.sets(names))
def test_a_reason_names_what_differs(ours: dict[str, str], theirs: dict[str, str], reads: set[str]) -> None:
    differing = {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
    try:
        check_variables(ours, theirs, reads)
    except Unforkable as error:
        named = set(str(error).removeprefix("it has its own ").partition(", read")[0].split(", "))
        assert named <= differing
    else:
        assert not differing & ({"PYTHONPATH", "LANG"} | (reads - {"PATH"}))
