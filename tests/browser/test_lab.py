"""JupyterLab in a browser: notebooks on local kernels and on those of two gateways, in one page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import CLUSTER, GPU_BOX, Shoot
from tests.browser.pages import Lab, output
from tests.browser.scenes import answer_a_question, interrupt, plot_and_use_widgets, restart
from tests.browser.servers import LOCAL, on

ALL = (LOCAL, on(GPU_BOX), on(CLUSTER))


def test_the_launcher_has_local_kernels_and_those_of_every_gateway(desk: Lab, shoot: Shoot) -> None:
    for kernel in ALL:
        for category in ("Notebook", "Console"):
            expect(desk.card(kernel, category=category)).to_have_count(1)
        logo = desk.card(kernel).locator("img")
        assert logo.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    shoot(desk.page, "jupyter-launcher")


@pytest.mark.parametrize("kernel", ALL)
def test_cells_run_where_the_launcher_said(desk: Lab, kernel: str) -> None:
    notebook = desk.open_notebook(kernel)
    place = kernel.partition(" · ")[2] or "home"
    assert notebook.evaluate("__import__('pathlib').Path.home().name") == place
    expect(output(notebook.run("1 / 0"))).to_contain_text("ZeroDivisionError: division by zero")


def test_plots_progress_bars_and_widgets_work(desk: Lab, shoot: Shoot) -> None:
    notebook = desk.open_notebook(on(GPU_BOX))
    plot_and_use_widgets(notebook)
    shoot(desk.page, "jupyter-notebook", height=1060)


def test_input_interrupt_and_restart_work(desk: Lab) -> None:
    notebook = desk.open_notebook(on(CLUSTER))
    answer_a_question(notebook)
    interrupt(notebook)
    assert notebook.evaluate("name") == "ada"
    restart(notebook)
    assert notebook.evaluate("'name' in globals()") == "False"


def test_completion_works(desk: Lab) -> None:
    notebook = desk.open_notebook(on(GPU_BOX))
    notebook.run("a_rather_long_name = 41")
    notebook.complete("a_rather", to="a_rather_long_name")
    desk.page.keyboard.insert_text(" + 1")
    desk.page.keyboard.press("Shift+Enter")
    expect(output(notebook.panel.locator(".jp-CodeCell").nth(1))).to_have_text("42")


def test_the_debugger_stops_at_a_breakpoint(desk: Lab) -> None:
    notebook = desk.open_notebook(on(GPU_BOX))
    notebook.press("Enable Debugger")
    expect(notebook.panel.locator(".jp-DebuggerBugButton")).to_have_attribute("aria-pressed", "true")
    cell = notebook.write("answer = 41\nanswer += 1\nprint(answer)")
    cell.locator(".cm-breakpoint-gutter .cm-gutterElement:visible").nth(1).click()
    expect(desk.page.locator(".jp-DebuggerBreakpoint")).to_have_count(1)
    desk.page.keyboard.press("Shift+Enter")
    expect(desk.page.locator(".jp-DebuggerCallstackFrame").first).to_be_visible()
    expect(desk.page.locator(".jp-DebuggerVariables")).to_contain_text(re.compile(r"answer:?\s*41"))
    desk.command("debugger:continue")
    expect(output(cell)).to_have_text("42\n")
