"""jupyter_kernel_test's suite for a kernel of ipykernel, whose name is in the environment.

It is run by unittest, in a process of its own, once for a local kernel and once for one behind the bridge.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

import jupyter_kernel_test

KERNEL_NAME = "KERNEL_OF_THE_SUITE"
"""The variable that names the kernel."""

_TIMEOUT = 60.0


class IPythonKernel(jupyter_kernel_test.KernelTests):
    """What the suite asks is its own; two of its waits are not: they are for tenths of a second."""

    kernel_name = os.environ.get(KERNEL_NAME, "python3")
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    completion_samples: ClassVar[list[dict[str, Any]]] = [
        {"text": "%lsmagi", "matches": ["%lsmagic"]},
        {"text": "zi", "matches": ["zip"]},
    ]
    complete_code_samples: ClassVar[list[str]] = [
        "1",
        "print('hello, world')",
        "def f(x):\n  return x*2\n\n\n",
    ]
    incomplete_code_samples: ClassVar[list[str]] = ["print('''hello", "def f(x):\n  x*2"]
    invalid_code_samples: ClassVar[list[str]] = ["import = 7q"]
    code_page_something = "zip?"
    code_generate_error = "raise ValueError('on purpose')"
    code_execute_result: ClassVar[list[dict[str, str]]] = [
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
        {"code": "'ü' * 3", "result": "'üüü'"},
    ]
    code_display_data: ClassVar[list[dict[str, str]]] = [
        {
            "code": "from IPython.display import HTML, display; display(HTML('<b>test</b>'))",
            "mime": "text/html",
        },
        {"code": "from IPython.display import Math, display; display(Math('a^2'))", "mime": "text/latex"},
    ]
    code_history_pattern = "1?2*"
    # Of a range that IPython has in memory it says that it is of session 0, which the suite does not accept.
    supported_history_operations = ("tail", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"

    def flush_channels(self) -> None:
        """Ask for something, and hear everything up to the end of that."""
        asked = self.kc.kernel_info()
        self._hear(self.kc.get_shell_msg, asked, "kernel_info_reply")
        self._until_idle(asked)

    def execute_helper(self, code: str, **how: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The reply and the outputs of some code, each message as the protocol has it."""
        how.pop("timeout", None)
        asked = self.kc.execute(code=code, **how)
        reply = self._hear(self.kc.get_shell_msg, asked, "execute_reply")
        heard = self._until_idle(asked)
        types = [message["msg_type"] for message in heard]
        assert (types[0], types[-1]) == ("status", "status")
        for message in heard:
            jupyter_kernel_test.validate_message(message, message["msg_type"], asked)
            if message["msg_type"] == "execute_input":
                assert message["content"]["code"] == code
        return reply, [each for each in heard[1:-1] if each["msg_type"] != "execute_input"]

    def _until_idle(self, asked: str) -> list[dict[str, Any]]:
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1]["content"].get("execution_state") != "idle":
            message = self.kc.get_iopub_msg(timeout=_TIMEOUT)
            if message["parent_header"].get("msg_id") == asked:
                heard.append(message)
        return heard

    def _hear(self, get: Any, asked: str, msg_type: str) -> dict[str, Any]:
        while (message := get(timeout=_TIMEOUT))["parent_header"].get("msg_id") != asked:
            pass
        jupyter_kernel_test.validate_message(message, msg_type, asked)
        reply: dict[str, Any] = message
        return reply


if __name__ == "__main__":
    import unittest

    unittest.main(verbosity=2)
