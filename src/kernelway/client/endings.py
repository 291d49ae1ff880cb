"""What ends requests before their answers: a kernel that dies, restarts or is shut down.

A kernelway answers each of them itself, before anything else tells of the end: a reply with the status
``aborted`` that names the error (see :func:`kernelway.client.waiting.aborted_by_an_end`). On a stock server
the end reaches its clients in several ways, and which of them come depends on the server:

    iopub status ``dead``           the kernel ended, and is not started again
    iopub status ``restarting``     the kernel ended, and is started again
    iopub status ``starting``       after a kernel that was seen to run: somebody asked for a restart, which
                                    stock servers do not announce
    iopub ``shutdown_reply``        the kernel was asked to end, or to restart

There all that waits fails with the first of them. On a kernelway a request may have been sent after the end
and before its announcement arrives, and the new run will answer it. So what was not answered by then is
given up only when the kernel answers a later request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from kernelway.client.comm import Comms
from kernelway.client.waiting import Waiters, Waiting, fail_each
from kernelway.protocol.errors import KernelDied, KernelRestarted, KernelwayError, NotFound
from kernelway.protocol.message import Message
from kernelway.protocol.models import ExecutionState
from kernelway.transport import deadlines


class Endings:
    """Fails what waits for one kernel when that ends.

    ``reason`` asks the server why the kernel ended, for when the message that tells of it does not say; its
    answer is empty where there is none. ``settle_later`` is given what to fail with when the kernel has
    answered a request that is sent now. ``run`` owns the tasks.
    """

    def __init__(
        self,
        kernel: str,
        waiters: Waiters,
        comms: Comms,
        *,
        reason: Callable[[], Awaitable[str]],
        settle_later: Callable[[type[KernelwayError], str], None],
        run: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.answered_by_host = False
        """Whether the server answers what a kernel that ended leaves unanswered."""
        self.dead: str | None = None
        """The sentence for whoever asks something of a kernel that is dead."""
        self._kernel = kernel
        self._waiters = waiters
        self._comms = comms
        self._reason = reason
        self._settle_later = settle_later
        self._run = run
        self._running = False

    def restarted(self) -> None:
        """Take a restart that this side asked for: what was sent before it has no answer."""
        self._running = False
        self.dead = None
        self._restart(f"{self._kernel} was restarted while somebody waited for it.")

    def shut_down(self) -> None:
        """Take a shutdown that this side asked for."""
        self._running = False
        self.dead = f"{self._kernel} was shut down."
        self._fail(self._waiters.take(), KernelDied, self.dead)

    def status(self, message: Message) -> None:
        """Take a status message."""
        content = message.read_content()
        state = str(content.get("execution_state", ""))
        ran, self._running = self._running, state in _RUNS
        reason = str(content.get("reason", ""))
        if state == ExecutionState.DEAD:
            self.dead = f"{self._kernel} is dead: restart it, or start another."
            self._explain(KernelDied, f"{self._kernel} died", reason)
        elif state == ExecutionState.RESTARTING:
            what = f"{self._kernel} was restarted while somebody waited for it"
            if self.answered_by_host:
                self._restart(f"{what}.")
            else:
                self._explain(KernelRestarted, what, reason)
        elif state in _LIVES:
            self.dead = None
            if state == ExecutionState.STARTING and ran:
                self._restart(f"{self._kernel} was restarted by somebody else.")

    def shutdown_reply(self, message: Message) -> None:
        """Take the kernel's answer to somebody who asked it to end."""
        self._running = False
        if message.read_content().get("restart"):
            self._restart(f"{self._kernel} was asked to restart.")
        elif self.answered_by_host:
            self._comms.fail_open(KernelDied(f"{self._kernel} was asked to shut down."))
        else:
            self._fail(self._waiters.take(), KernelDied, f"{self._kernel} was asked to shut down.")

    def _restart(self, sentence: str) -> None:
        if self.answered_by_host:
            self._comms.fail_open(KernelRestarted(sentence))
            self._settle_later(KernelRestarted, sentence)
        else:
            self._fail(self._waiters.take(), KernelRestarted, sentence)

    def _explain(self, kind: type[KernelwayError], what: str, reason: str) -> None:
        taken = self._waiters.take()
        if reason:
            self._fail(taken, kind, f"{what}: {reason.rstrip('.')}.")
            return
        self._comms.fail_open(kind(f"{what}."))
        if taken:
            self._run(self._ask_why(taken, kind, what))

    async def _ask_why(self, taken: list[Waiting], kind: type[KernelwayError], what: str) -> None:
        sentence = f"{what}; the server gives no reason."
        try:
            async with deadlines.timeout(_EXPLAINED_WITHIN):
                reason = await self._reason()
            if reason:
                sentence = f"{what}: {reason.rstrip('.')}."
        except TimeoutError:
            sentence = f"{what}; the server does not tell why."
        except NotFound:
            sentence = f"{self._kernel} was shut down: the server has it no longer."
        except KernelwayError as error:
            sentence = f"{what}; the server cannot be asked for the reason: {error}"
        finally:
            self._fail(taken, kind, sentence)

    def _fail(self, taken: list[Waiting], kind: type[KernelwayError], sentence: str) -> None:
        fail_each(taken, kind, sentence)
        self._comms.fail_open(kind(sentence))


_RUNS: Final = frozenset({ExecutionState.IDLE, ExecutionState.BUSY})
_LIVES: Final = _RUNS | {ExecutionState.STARTING}
_EXPLAINED_WITHIN: Final = 10.0
"""Seconds for the server to tell why a kernel ended, while those who wait for the kernel go on waiting."""
