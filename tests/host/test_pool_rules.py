"""Which kernels may wait, and which requests one of them serves exactly."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.kernelspec import KernelSpec

from kernelway.host.pool_rules import Started, acts_at_start, changes, may_wait, obstacle

HERE = Path("/home/somebody")

PLAIN = ["/usr/bin/python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"]

LOCAL = {"kernel_provisioner": {"provisioner_name": "local-provisioner"}}

FOREIGN = {"kernel_provisioner": {"provisioner_name": "slurm-provisioner"}}


def spec(argv: list[str] = PLAIN, **fields: Any) -> KernelSpec:
    return KernelSpec(argv=argv, display_name="Python", language="python", **fields)


def started(environ: dict[str, str] | None = None, **fields: Any) -> Started:
    fields = {"spec": spec(), "cwd": HERE, "is_plain": True, **fields}
    return Started(environ={"PATH": "/usr/bin"} if environ is None else environ, **fields)


def stands_in_the_way(waiting: Started, env: dict[str, str], cwd: Path = HERE) -> str | None:
    return obstacle(waiting, cwd, changes(waiting, env))


# Which kernels


@pytest.mark.parametrize(
    "argv",
    [
        PLAIN,
        ["python", "-m", "ipykernel", "-f", "{connection_file}"],
        ["python3", "-X", "frozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    ],
)
def test_a_plain_launch_of_ipykernel_may_wait(argv: list[str]) -> None:
    assert may_wait(spec(argv))
    assert may_wait(spec(argv, metadata=LOCAL))


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["python"],
        ["python", "-m"],
        ["python", "-m", "bash_kernel", "-f", "{connection_file}"],
        ["R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"],
        ["julia", "-m"],
        ["srun", "ipykernel_launcher"],
    ],
)
def test_other_kernels_may_not(argv: list[str]) -> None:
    assert not may_wait(spec(argv))


def test_what_another_provisioner_starts_may_not() -> None:
    assert not may_wait(spec(metadata=FOREIGN))
    assert not may_wait(spec(metadata={"kernel_provisioner": "nonsense"}))


# Which requests


@pytest.mark.parametrize("env", [{}, {"PATH": "/usr/bin"}, {"MY_PROJECT": "a"}, {"MY_PROJECT": ""}])
def test_what_nothing_has_read_can_be_given_later(env: dict[str, str]) -> None:
    assert stands_in_the_way(started(), env) is None
    assert stands_in_the_way(started(), env, Path("/elsewhere")) is None


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PYTHONPATH",
            "PYTHONHASHSEED",
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "MALLOC_ARENA_MAX",
            "GLIBC_TUNABLES",
        ),
        *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS", "MKL_DYNAMIC", "KMP_AFFINITY"),
        *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "USER", "TMPDIR", "XDG_CONFIG_HOME"),
        *("IPYTHONDIR", "IPYTHON_SUPPRESS_CONFIG_ERRORS", "IPYKERNEL_CELL_NAME", "JUPYTER_CONFIG_DIR"),
        *(
            "JPY_PARENT_PID",
            "JPY_INTERRUPT_EVENT",
            "MPLBACKEND",
            "MPLCONFIGDIR",
            "TERM",
            "COLUMNS",
            "NO_COLOR",
        ),
        *("DEBUGPY_LOG_DIR", "PYDEVD_DISABLE_FILE_VALIDATION", "SSL_CERT_FILE", "OPENSSL_CONF"),
        *(
            "PATH",
            "DISPLAY",
            "VIRTUAL_ENV",
            "CONDA_PREFIX",
            "EDITOR",
            "SOURCE_DATE_EPOCH",
            "_ARGCOMPLETE",
            "_",
        ),
        *("KERNELWAY_HOST", "KERNELWAY_KERNEL_ID"),
        *("with space", "dotted.name", "1ST", "ÄÖ", "a-b"),
    ],
)
def test_what_acts_when_a_kernel_starts_means_a_fresh_start(name: str) -> None:
    told = stands_in_the_way(started(), {name: "secret"})
    assert told is not None
    assert name in told
    assert "secret" not in told


@pytest.mark.parametrize(
    "name",
    ["JPY_SESSION_NAME", "CUDA_VISIBLE_DEVICES", "AWS_PROFILE", "HTTP_PROXY", "HOMEPAGE", "Tz"],
)
def test_what_is_read_where_it_is_used_can_be_given_later(name: str) -> None:
    assert stands_in_the_way(started(), {name: "x"}) is None


@given(st.dictionaries(st.text(string.ascii_uppercase + "_", min_size=1), st.text(max_size=3)))
def test_what_the_kernel_has_already_stands_in_nobodys_way(env: dict[str, str]) -> None:
    for is_plain in (True, False):
        waiting = started(dict(env), is_plain=is_plain)
        assert changes(waiting, env) == {}
        assert stands_in_the_way(waiting, env) is None


@given(
    st.dictionaries(st.sampled_from("ABCD"), st.text(max_size=2)),
    st.dictionaries(st.sampled_from("ABCD"), st.text(max_size=2)),
)
def test_with_the_changes_a_kernel_has_all_that_was_asked_for(
    had: dict[str, str], asked: dict[str, str]
) -> None:
    waiting = started(had)
    assert had | changes(waiting, asked) == had | asked


def test_a_profile_that_runs_something_must_have_been_started_there_and_so() -> None:
    waiting = started(is_plain=False)
    assert stands_in_the_way(waiting, {}) is None
    assert "profile" in str(stands_in_the_way(waiting, {"MINE": "x"}))
    assert "profile" in str(stands_in_the_way(waiting, {}, Path("/elsewhere")))


def test_what_was_seen_to_be_read_means_a_fresh_start() -> None:
    assert "MINE" in str(stands_in_the_way(started(reads=frozenset({"MINE"})), {"MINE": "x"}))


@pytest.mark.parametrize("preloaded", ["torch", "torch.nn", "TORCH"])
def test_a_module_that_was_imported_before_may_have_read_what_bears_its_name(preloaded: str) -> None:
    assert acts_at_start("TORCH_HOME", [preloaded])
    assert acts_at_start("torch_x", [preloaded])
    assert not acts_at_start("TORCH_HOME")
    assert not acts_at_start("OTHER", [preloaded])


# What the kernelspec says itself


@pytest.mark.parametrize(
    "changed",
    [
        {"env": {"MINE": "fixed"}},
        {"env": {"OTHER": "${MINE}/lib"}},
        {"env": {"OTHER": "a:$MINE"}},
        {"env": {"OTHER": "$MINE:b"}},
        {"argv": [*PLAIN, "--X=${MINE}"]},
    ],
)
def test_a_variable_that_the_kernelspec_names_means_a_fresh_start(changed: dict[str, Any]) -> None:
    assert "kernelspec" in str(stands_in_the_way(started(spec=spec(**changed)), {"MINE": "x"}))


@pytest.mark.parametrize("text", ["MINE", "$MINER", "${MINES}", "$$"])
def test_what_only_looks_like_it_does_not(text: str) -> None:
    assert stands_in_the_way(started(spec=spec(env={"OTHER": text})), {"MINE": "x"}) is None
