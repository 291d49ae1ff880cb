"""What is asked of an ipykernel that waits in the pool, and how it is told whose it becomes.

The first is a silent request whose code is empty and whose work is an expression, so that nothing is counted,
printed or kept of it: no line of source, no name, no line of history. It gives the kernel a handler for the
second, which goes once it has answered. What both do is in ``in_kernel.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kernelway.host.lifeline import Lifeline
from kernelway.protocol.errors import KernelError

_ANSWER = "answer"

_PREPARE = "(lambda names: (exec({program!r}, names), names['Waiting']().is_plain())[1])({names!r})"


async def prepare(lifeline: Lifeline) -> bool:
    """Ready an ipykernel to wait; whether nothing of the user's own ran when it started.

    :class:`KernelError` where it cannot wait.
    """
    program = Path(__file__).with_name("in_kernel.py").read_text(encoding="utf-8")
    expression = _PREPARE.format(program=program, names={"__name__": "kernelway"})
    return await _evaluate(lifeline, expression) == "True"


async def hand_out(lifeline: Lifeline, folder: Path, env: Mapping[str, str]) -> None:
    """Make a kernel that waits one that was started now, in that folder, with these variables more.

    :class:`KernelError` with the reason where it cannot be; what it is then, nobody may have.
    """
    # In ASCII, since a path or a variable may hold what UTF-8 does not.
    given = ascii((str(folder), dict(env)))
    reply = await lifeline.ask_silently("kernelway_become_request", {"given": given})
    if reply.get("status") != "ok":
        raise _refusal(reply)


async def _evaluate(lifeline: Lifeline, expression: str) -> str:
    content = {"code": "", "silent": True, "store_history": False, "user_expressions": {_ANSWER: expression}}
    reply = await lifeline.ask_silently("execute_request", content)
    results = reply.get("user_expressions")
    result = results.get(_ANSWER) if isinstance(results, dict) else None
    match result:
        case {"status": "ok", "data": {"text/plain": str(text)}}:
            return text
    raise _refusal(result)


def _refusal(answer: object) -> KernelError:
    match answer:
        case {"ename": str(name), "evalue": str(value)}:
            return KernelError(f"The kernel says {name}: {value}.")
    return KernelError("The kernel does not do what it is asked.")
