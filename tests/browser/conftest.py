"""A browser, the screenshots that it takes where somebody wants them, and places to run code on.

``pytest tests/browser --screenshots FOLDER`` writes the pictures of the documentation.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from tests.browser.pages import DEADLINE, PAGE_DEADLINE, Lab
from tests.browser.servers import Home, NotebookServer, home_with_places, lab
from tests.support.leftovers import Leftovers

GPU_BOX, CLUSTER = "gpu-box", "cluster"

_SIZE = (1280, 800)

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Shoot(Protocol):
    """Takes a picture of a page under a name."""

    def __call__(self, page: Page, name: str, *, height: int = ...) -> None: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="FOLDER", help="Write the pictures of tests/browser there.")


@pytest.fixture(scope="session", autouse=True)
def chromium() -> str:
    """The browser's program; without it nothing is started here."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no chromium here (on Debian: apt-get install chromium)")
    return program


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left_by_the_module() -> Iterator[None]:
    """The check of tests/conftest.py for a whole file: a browser starts and ends processes as it likes."""
    folder = Path(os.environ["XDG_RUNTIME_DIR"])
    before = Leftovers.now(folder)
    yield
    after = Leftovers.now(folder)
    if after - before != Leftovers():
        (after - before).wait()
    complaints = (Leftovers.now(folder) - before).complaints()
    assert not complaints, "\n".join(["This is left behind:", *complaints])


@pytest.fixture(autouse=True)
def nothing_is_left() -> None:
    """See above."""


@pytest.fixture(scope="module")
def browser(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, without a window, and with folders of its own."""
    folder = str(tmp_path_factory.mktemp("browser"))
    environ = {**os.environ, "HOME": folder, "XDG_RUNTIME_DIR": folder}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_FLAGS, env=environ)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """One page, which several tests share."""
    width, height = _SIZE
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(DEADLINE)
    context.set_default_navigation_timeout(PAGE_DEADLINE)
    page = context.new_page()
    # It asks before it leaves a notebook that is not saved.
    page.on("dialog", lambda dialog: dialog.accept())
    yield page
    context.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A person with two gateways."""
    with home_with_places(tmp_path_factory.mktemp("home"), GPU_BOX, CLUSTER) as home:
        yield home


@pytest.fixture(scope="module")
def lab_server(home: Home) -> Iterator[NotebookServer]:
    """JupyterLab, running."""
    server = lab(home)
    with server.running():
        yield server


@pytest.fixture(scope="module")
def lab_page(lab_server: NotebookServer, page: Page) -> Page:
    """JupyterLab, open."""
    _open_lab(page, lab_server)
    return page


def _open_lab(page: Page, server: NotebookServer) -> None:
    page.goto(server.page("lab"))
    page.locator(".jp-LauncherCard:visible, .jp-MainAreaWidget:visible").first.wait_for(timeout=PAGE_DEADLINE)


@pytest.fixture
def desk(lab_page: Page, lab_server: NotebookServer) -> Iterator[Lab]:
    """JupyterLab with nothing but a launcher; what a test opens and starts is gone after it."""
    desk = Lab(lab_page)
    if not desk.is_open():
        # A test that failed while there was no server has left no page.
        _open_lab(lab_page, lab_server)
    desk.close_everything()
    yield desk
    desk.close_everything()
    lab_server.end_kernels()


@pytest.fixture
def shoot(pytestconfig: pytest.Config) -> Shoot:
    """Takes a picture of a page under a name, where pictures are wanted; of this height."""
    folder = pytestconfig.getoption("screenshots", default=None)

    def shoot(page: Page, name: str, *, height: int = _SIZE[1]) -> None:
        if folder is not None:
            page.set_viewport_size({"width": _SIZE[0], "height": height})
            page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer')?.scrollTo(0, 0)")
            picture = page.screenshot(animations="disabled", caret="hide")
            page.set_viewport_size({"width": _SIZE[0], "height": _SIZE[1]})
            _small(picture).save(Path(folder) / f"{name}.png", optimize=True)

    return shoot


def _small(picture: bytes) -> Image.Image:
    """A picture with few colours, as pages have."""
    return (
        Image.open(io.BytesIO(picture))
        .convert("RGB")
        .quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
