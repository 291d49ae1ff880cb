"""Our errors as those that a notebook server answers with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from http import HTTPStatus

from tornado.web import HTTPError

from kernelway.protocol.errors import KernelwayError, LinkError


class Refused(HTTPError):
    """An answer with the gateway's own sentence, also where jupyter_server makes another error of it."""

    def __init__(self, error: KernelwayError) -> None:
        # JupyterLab tries again after a 503, and takes a kernel for dead after others.
        status = HTTPStatus.SERVICE_UNAVAILABLE if isinstance(error, LinkError) else error.status
        self.sentence = str(error) if error.shown else "Something went wrong; the log has the details."
        super().__init__(status.value, self.sentence)

    def __str__(self) -> str:
        return self.sentence


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Around what a notebook server asks: our errors become answers."""
    try:
        yield
    except KernelwayError as error:
        raise Refused(error) from error
