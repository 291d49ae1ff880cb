"""Notebook 7 in a browser, with the extension enabled for the user."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import CLUSTER, GPU_BOX, Shoot
from tests.browser.pages import PAGE_DEADLINE, Lab, NotebookPanel
from tests.browser.scenes import answer_a_question, interrupt, plot_and_use_widgets, restart
from tests.browser.servers import LOCAL, Home, NotebookServer, notebook_server, on


@pytest.fixture(scope="module")
def server(home: Home) -> Iterator[NotebookServer]:
    server = notebook_server(home)
    with server.running():
        yield server


def open_notebook(server: NotebookServer, page: Page, place: str) -> NotebookPanel:
    """Open a notebook whose file names a kernelspec of this place."""
    server.home.write_notebook("analysis.ipynb", place)
    page.goto(server.page("notebooks/analysis.ipynb"))
    panel = NotebookPanel(page, page.locator(".jp-NotebookPanel:visible"))
    panel.panel.wait_for(timeout=PAGE_DEADLINE)
    expect(panel.kernel_name).to_have_text(on(place))
    return panel.until_ready()


def test_the_menu_for_a_new_notebook_has_all_kernels(server: NotebookServer, page: Page) -> None:
    page.goto(server.page("tree"))
    page.locator(".jp-DirListing:visible").wait_for(timeout=PAGE_DEADLINE)
    page.locator(".jp-FileBrowser-toolbar >> text=New").first.click()
    for kernel in (LOCAL, on(GPU_BOX), on(CLUSTER)):
        expect(page.locator(".lm-Menu-item:visible", has_text=kernel)).not_to_have_count(0)


def test_a_notebook_works_on_a_gateway(server: NotebookServer, page: Page, shoot: Shoot) -> None:
    server.home.kernelway("exec", "--on", CLUSTER, "--session", "shared", "answer = 42")
    notebook = open_notebook(server, page, GPU_BOX)
    plot_and_use_widgets(notebook)
    shoot(page, "jupyter-notebook-7", height=1060)
    assert notebook.evaluate("__import__('pathlib').Path.home().name") == GPU_BOX
    answer_a_question(notebook)
    interrupt(notebook)
    restart(notebook)
    assert notebook.evaluate("'name' in globals()") == "False"

    Lab(page).choose_kernel(notebook, "shared")
    expect(notebook.kernel_name).to_have_text(on(CLUSTER))
    notebook.until_ready()
    assert notebook.evaluate("answer") == "42"
    assert page.evaluate("() => window.jupyterapp.hasPlugin('kernelway:shutting-down')")
