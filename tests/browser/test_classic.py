"""nbclassic in a browser, with the extension enabled for the user."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import GPU_BOX
from tests.browser.pages import PAGE_DEADLINE
from tests.browser.servers import Home, NotebookServer, home_with_places, notebook_server, on


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with home_with_places(tmp_path_factory.mktemp("home"), GPU_BOX) as home:
        yield home


@pytest.fixture(scope="module")
def server(home: Home) -> Iterator[NotebookServer]:
    server = notebook_server(home)
    with server.running():
        yield server


def test_nbclassic_runs_a_cell_on_the_gateway_that_a_notebook_names(
    server: NotebookServer, home: Home, page: Page
) -> None:
    home.write_notebook("classic.ipynb", GPU_BOX, "import pathlib", "print(pathlib.Path.home().name)")
    page.goto(server.page("nbclassic/notebooks/classic.ipynb"))
    expect(page.locator("#kernel_indicator .kernel_indicator_name")).to_have_text(
        on(GPU_BOX), timeout=PAGE_DEADLINE
    )
    expect(page.locator("#kernel_indicator_icon")).to_have_class(re.compile("kernel_idle_icon"))
    page.locator(".code_cell .CodeMirror").first.click()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".code_cell .output_stdout").first).to_have_text(GPU_BOX + "\n")
