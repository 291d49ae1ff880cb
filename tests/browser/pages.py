"""JupyterLab and Notebook as a person sees them: launcher, notebooks, dialogs, panels."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

DEADLINE = 30_000
"""Milliseconds for everything that is waited for, except"""

PAGE_DEADLINE = 60_000
"""for a page to be there."""

expect.set_options(timeout=DEADLINE)


@dataclass(frozen=True, slots=True)
class NotebookPanel:
    """An open notebook; cells are run one after the other, at its end."""

    page: Page
    panel: Locator

    @property
    def kernel_name(self) -> Locator:
        return self.panel.locator(".jp-KernelName")

    @property
    def indicator(self) -> Locator:
        """What shows the kernel's state."""
        return self.panel.locator(".jp-Notebook-ExecutionIndicator")

    def until_not_idle(self) -> None:
        """Wait until the indicator shows anything else."""
        expect(self.indicator).not_to_have_attribute("data-status", "idle")

    def until_ready(self) -> NotebookPanel:
        """Wait until the indicator shows that the kernel is idle."""
        expect(self.indicator).to_have_attribute("data-status", "idle")
        return self

    def start(self, code: str) -> Locator:
        """Write a cell at the end and run it; the cell."""
        cell = self.write(code)
        self.page.keyboard.press("Shift+Enter")
        return cell

    def write(self, code: str) -> Locator:
        """Write a cell at the end; the cell, which the keyboard goes to."""
        cells = self.panel.locator(".jp-CodeCell")
        cell = cells.nth(cells.count() - 1)
        cell.locator(".cm-content").click()
        self.page.keyboard.insert_text(code.strip())
        expect(cell.locator(".cm-content")).not_to_have_text("")
        return cell

    def run(self, code: str) -> Locator:
        """The same, waiting until the kernel has answered; the cell."""
        cell = self.start(code)
        self.until_done(cell)
        return cell

    def until_done(self, cell: Locator) -> None:
        """Wait until the cell has its number: ``[*]`` before, ``[3]`` then."""
        expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"^\[\d+\]:$"))

    def evaluate(self, expression: str) -> str:
        """What the kernel says an expression is."""
        return output(self.run(f"print({expression})")).inner_text().strip()

    def press(self, button: str) -> None:
        """A button of the toolbar, by its title's beginning."""
        self.panel.locator(f".jp-NotebookPanel-toolbar [title^='{button}']").first.click()

    def complete(self, beginning: str, *, to: str) -> None:
        """Write the beginning of a name into the last cell, press Tab, and choose this one."""
        cell = self.panel.locator(".jp-CodeCell").last
        cell.locator(".cm-content").click()
        self.page.keyboard.insert_text(beginning)
        # Before that the key is an indentation.
        expect(cell.locator(".jp-mod-completer-enabled")).to_have_count(1)
        self.page.keyboard.press("Tab")
        whole = cell.locator(".cm-content", has_text=to)
        offered = self.page.locator(".jp-Completer:not(.lm-mod-hidden) .jp-Completer-item", has_text=to)
        expect(whole.or_(offered)).to_be_visible()
        if offered.is_visible():
            offered.click()
        expect(whole).to_be_visible()


def output(cell: Locator) -> Locator:
    """What a cell shows, without the number of a result."""
    return cell.locator(".jp-OutputArea-output")


@dataclass(frozen=True, slots=True)
class Lab:
    """A page of JupyterLab."""

    page: Page

    def card(self, kernel: str, *, category: str = "Notebook") -> Locator:
        """What starts this kernel in the launcher that is open."""
        return self.page.locator(f".jp-LauncherCard[data-category='{category}'][title='{kernel}']:visible")

    def open_launcher(self) -> None:
        self.command("launcher:create")
        self.page.locator(".jp-LauncherCard:visible").first.wait_for()

    def open_notebook(self, kernel: str) -> NotebookPanel:
        """A new notebook by the launcher, with its kernel running."""
        self.card(kernel).click()
        panel = NotebookPanel(self.page, self.page.locator(".jp-NotebookPanel:visible"))
        expect(panel.kernel_name).to_have_text(kernel)
        return panel.until_ready()

    def command(self, name: str) -> None:
        """What a menu or a shortcut would run."""
        self.page.evaluate("([name]) => void window.jupyterapp.commands.execute(name)", [name])

    def is_open(self) -> bool:
        """Whether there is a JupyterLab in the page."""
        return bool(self.page.evaluate("() => 'jupyterapp' in window"))

    def close_everything(self) -> None:
        """Close what is open, as it is, and what lies over it; there is a launcher then."""
        self.page.evaluate(
            """async () => {
                const over = '.jp-Dialog .jp-mod-reject, .jp-Notification-Toast-Close';
                for (const button of document.querySelectorAll(over)) button.click();
                const { commands, shell } = window.jupyterapp;
                // Where nothing was left JupyterLab would open one by itself, but later.
                const launcher = await commands.execute('launcher:create');
                for (const widget of [...shell.widgets('main')]) if (widget !== launcher) widget.dispose();
            }"""
        )
        self.page.locator(".jp-LauncherCard:visible").first.wait_for()
        expect(self.page.locator(".Toastify__toast")).to_have_count(0)

    def accept(self, label: str) -> None:
        """Press a dialog's button."""
        self.page.locator(".jp-Dialog button.jp-mod-styled", has_text=label).click()
        expect(self.page.locator(".jp-Dialog")).to_have_count(0)

    def dismiss(self) -> None:
        """Close a dialog, as if it had not been opened."""
        self.page.locator(".jp-Dialog .jp-mod-reject").first.click()
        expect(self.page.locator(".jp-Dialog")).to_have_count(0)

    def dismiss_all(self) -> None:
        """Close the dialogs that may be there."""
        self.page.evaluate(
            "() => { for (const each of document.querySelectorAll('.jp-Dialog button')) each.click(); }"
        )

    def choose_kernel(self, panel: NotebookPanel, option: str) -> None:
        """Have a notebook use what has this text in the kernel picker."""
        panel.kernel_name.click()
        picker = self.page.locator(".jp-Dialog select")
        wanted = picker.locator("option", has_text=option)
        expect(wanted).not_to_have_count(0)
        picker.select_option(value=wanted.first.get_attribute("value"))
        self.accept("Select")

    def open_running(self) -> None:
        """Show the Running panel."""
        self.page.evaluate("() => window.jupyterapp.shell.activateById('jp-running-sessions')")
        panel = self.page.locator("#jp-running-sessions:visible")
        panel.locator("[aria-label='Kernels Section']").wait_for()
        for section in ("Open Tabs", "Language servers", "Recently Closed", "Workspaces", "Terminals"):
            title = panel.locator(f"h3[aria-label='{section} Section']")
            if title.get_attribute("aria-expanded") == "true":
                title.locator(".lm-AccordionPanel-titleLabel").click()

    def running(self, name: str = "") -> Locator:
        """The kernels in the Running panel, of sessions of this name."""
        return self.page.locator("#jp-running-sessions .jp-mod-kernel", has_text=name)

    def shut_down(self, kernel: Locator) -> None:
        """Shut down one kernel in the Running panel."""
        kernel.hover()
        kernel.locator(".jp-RunningSessions-itemShutdown").first.click()

    def press_of_kernels(self, button: str) -> None:
        """A button above all kernels in the Running panel, and again in the dialog that asks."""
        self.page.locator(f"h3[aria-label='Kernels Section'] jp-button[aria-label='{button}']").click()
        self.accept(button)

    def notification(self, text: str) -> Locator:
        """What is shown over the page, with this text."""
        return self.page.locator(".Toastify__toast", has_text=text)
