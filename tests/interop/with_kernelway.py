"""A plugin for jupyter_server's own tests, ``-p with_kernelway``: each of their servers has our extension.

Where a test names one of jupyter_server's own kernel managers, as it does to have each of them tested, the
name is taken out of its configuration: ours would leave its place to what the user has configured. Left out
are tests that make no server, those that name another kernel manager, and those that are the same as another
once the name is gone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Mapping
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp
from tornado.ioloop import IOLoop
from tornado.platform.asyncio import BaseAsyncIOLoop
from traitlets.config import Config

from kernelway.jupyter import EXTENSION
from kernelway.jupyter.kernels import KernelwayKernelManager

_CLASS = "kernel_manager_class"
_STOCK = [
    f"jupyter_server.services.kernels.kernelmanager.{name}"
    for name in ("MappingKernelManager", "AsyncMappingKernelManager")
]


def extended(config: Mapping[str, Any]) -> Config:
    """The configuration with the extension on, and without jupyter_server's own kernel managers."""
    made = Config(copy.deepcopy(dict(config)))
    made.ServerApp.setdefault("jpserver_extensions", {})[EXTENSION] = True
    if made.ServerApp.get(_CLASS) in _STOCK:
        del made.ServerApp[_CLASS]
    return made


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
    """Change what two fixtures return, whichever module or parameter they are of."""
    result: Any = yield
    if fixturedef.argname == "jp_server_config":
        result = extended(result)
    elif fixturedef.argname == "jp_configurable_serverapp":
        result = _extended(result)
    else:
        return result
    assert fixturedef.cached_result is not None
    fixturedef.cached_result = (result, fixturedef.cached_result[1], None)
    return result


def _extended(make: Callable[..., ServerApp]) -> Callable[..., ServerApp]:
    def make_with_extension(**kwargs: Any) -> ServerApp:
        if "config" in kwargs:
            kwargs["config"] = extended(kwargs["config"])
        app = make(**kwargs)
        assert EXTENSION in app.extension_manager.linked_extensions
        # By its arguments one test still configures another.
        assert isinstance(app.kernel_manager, KernelwayKernelManager) or kwargs.get("argv")
        loop = IOLoop.current()
        assert isinstance(loop, BaseAsyncIOLoop)
        if not loop.asyncio_loop.is_running():
            # A server does so before it answers anybody, which this one never is told to.
            loop.asyncio_loop.run_until_complete(app.extension_manager.start_all_extensions())
        return app

    return make_with_extension


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seen: list[tuple[str, Config]] = []
    kept, left_out = [], []
    for item in items:
        (left_out if _is_known(item, seen) else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


def _is_known(item: pytest.Item, seen: list[tuple[str, Config]]) -> bool:
    """Whether an item has nothing to do with our extension, or does what another did that was seen."""
    assert isinstance(item, pytest.Function)
    if "jp_configurable_serverapp" not in item.fixturenames:
        return True
    params = item.callspec.params if hasattr(item, "callspec") else {}
    if "jp_server_config" not in params:
        return False
    config = extended(params["jp_server_config"])
    same = (f"{item.path}::{item.originalname}", config)
    if _CLASS in config.ServerApp or (same in seen and len(params) == 1):
        return True
    seen.append(same)
    return False
