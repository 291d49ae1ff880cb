"""The synchronous facade."""

from __future__ import annotations

import inspect
import threading

import pytest
from tests.client.gateways import Place

from kernelway.client import (
    ExecuteReply,
    GatewayOptions,
    InputRequest,
    Result,
    Stream,
    gateway,
    kernel,
    session,
)
from kernelway.client.sync import Facade, Gateway, Kernel, Session
from kernelway.protocol.errors import KernelDied, NotFound, TimedOut, WrongCredentials

DEADLINE = 60.0


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "kernelway client"]


def test_the_promised_example(place: Place, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Gateway(place.base_url, token=place.token) as opened:
        own = opened.open_session("analysis.py", kernel="python3")
        assert list(own.kernel.execute("1 + 1")) == [Result({"text/plain": "2"}, {}, execution_count=1)]
        assert own.name == "analysis.py"
        own.shutdown()
        with pytest.raises(NotFound):
            opened.connect(own.kernel.id)
    assert not threads()


def test_everything_a_script_needs(own_gateway: Place) -> None:
    with Gateway(own_gateway.base_url, token=own_gateway.token) as opened:
        assert opened.check().kind == "kernelway"
        started = opened.start_kernel("python3")
        assert started.id in {model.id for model in opened.kernels()}
        feed = started.messages()
        execution = started.execute("name = input('name? ')", timeout=DEADLINE)
        for output in execution:
            assert isinstance(output, InputRequest)
            execution.answer(output, "Ada")
        assert execution.reply == ExecuteReply(
            "ok", 1, {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": []}
        )
        assert next(feed).channel == "iopub"
        assert "name" in started.complete("nam").matches
        again = opened.connect(started.id)
        assert [output.data["text/plain"] for output in again.execute("name")] == ["'Ada'"]
        again.close()
        started.restart()
        assert started.execute("name").reply.status == "error"
        started.shutdown()


def test_leaving_an_iteration_and_interrupting(own_gateway: Place) -> None:
    with Gateway(own_gateway.base_url, token=own_gateway.token) as opened:
        started = opened.start_kernel()
        code = "import sys, time\n_ = sys.stdout.write('runs')\nsys.stdout.flush()\ntime.sleep(100)"
        for output in started.execute(code):
            assert output == Stream("stdout", "runs")
            break
        with pytest.raises(TimedOut):
            started.complete("a", timeout=0.1)
        started.interrupt()
        assert started.kernel_info(timeout=DEADLINE).language_info.name == "python"
        # A shutdown interrupts the kernel, and this code would end by that.
        stubborn = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        waiting = iter(started.execute(stubborn + "print('on', flush=True)\ntime.sleep(100)"))
        assert next(waiting) == Stream("stdout", "on\n")
        started.shutdown()
        with pytest.raises(KernelDied):
            list(waiting)


def test_an_error_on_entering_leaves_no_thread(own_gateway: Place) -> None:
    options = GatewayOptions(base_url=own_gateway.base_url, password="wrong", timeout=10)
    with pytest.raises(WrongCredentials), Gateway.from_options(options):
        pass
    assert not threads()


def test_it_is_used_inside_its_block_only(own_gateway: Place) -> None:
    outside = Gateway(own_gateway.base_url, token=own_gateway.token)
    with pytest.raises(RuntimeError, match="inside"):
        outside.status()
    with outside:
        outside.status()
    with pytest.raises(RuntimeError, match="inside"):
        outside.status()


@pytest.mark.parametrize(
    ("facade", "inner", "left_out"),
    [
        (Gateway, gateway.Gateway, {"link"}),
        (Session, session.Session, set()),
        (Kernel, kernel.Kernel, {"open", "ended", "subprotocol", "open_comm", "comms"}),
    ],
)
def test_the_names_are_the_same(facade: type[Facade], inner: type, left_out: set[str]) -> None:
    def public(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert public(facade) >= public(inner) - left_out
    for name in public(facade) & public(inner):
        assert inspect.getdoc(getattr(facade, name))
