"""What notebooks do, in JupyterLab and in Notebook alike."""

from __future__ import annotations

from playwright.sync_api import expect
from tests.browser.pages import NotebookPanel, output

_PLOT = """
import matplotlib.pyplot as plt
plt.figure(figsize=(5, 2.2))
plt.plot([1, 3, 2, 5, 4, 6]); plt.title("loss");
"""

_PROGRESS = """
from tqdm.auto import tqdm
for batch in tqdm(range(20), desc="training"): pass
"""

_WIDGETS = """
import io, ipywidgets, numpy
png = io.BytesIO()
plt.imsave(png, numpy.hypot(*numpy.mgrid[-1:1:64j, -1:1:64j]))
slider = ipywidgets.IntSlider(value=3, max=10, description="layers")
picture = ipywidgets.Image(value=png.getvalue(), layout={"width": "64px"})
upload = ipywidgets.FileUpload()
told = ipywidgets.Label()
slider.observe(lambda change: setattr(told, "value", f"{change.new} layers"), "value")
ipywidgets.VBox([ipywidgets.HBox([slider, told]), picture, upload])
"""

_EVERY_BYTE = bytes(range(256)) * 40


def plot_and_use_widgets(notebook: NotebookPanel) -> None:
    """A plot, a progress bar, a slider, and pictures and files, whose bytes go as they are."""
    expect(output(notebook.run(_PROGRESS))).to_contain_text("20/20")
    plot = output(notebook.run(_PLOT)).locator("img")
    expect(plot).to_have_js_property("complete", True)
    assert plot.evaluate("image => image.naturalWidth") > 300

    shown = output(notebook.run(_WIDGETS))
    expect(shown.locator(".widget-upload")).to_be_visible()
    picture = shown.locator("img.widget-image")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    # Where the slider is clicked it goes, from 3 to the 10 at its end.
    track = shown.locator(".noUi-target")
    size = track.bounding_box()
    assert size is not None
    track.click(position={"x": size["width"] - 1, "y": size["height"] / 2})
    expect(shown).to_contain_text("10 layers")
    assert notebook.evaluate("slider.value") == "10"

    with notebook.page.expect_file_chooser() as chooser:
        shown.locator(".widget-upload").click()
    file = {"name": "every-byte.bin", "mimeType": "application/octet-stream", "buffer": _EVERY_BYTE}
    chooser.value.set_files(file)
    expect(shown.locator(".widget-upload")).to_contain_text("(1)")
    assert notebook.evaluate("bytes(upload.value[0].content) == bytes(range(256)) * 40") == "True"


def answer_a_question(notebook: NotebookPanel) -> None:
    """``input()``; afterwards ``name`` is ada."""
    asking = notebook.start("name = input('Who is there? ')\nprint(name.upper())")
    expect(asking).to_contain_text("Who is there?")
    asking.locator("input.jp-Stdin-input").fill("ada")
    asking.locator("input.jp-Stdin-input").press("Enter")
    notebook.until_done(asking)
    expect(asking).to_contain_text("ADA")


def interrupt(notebook: NotebookPanel) -> None:
    """An endless cell."""
    endless = notebook.start("print('begun')\nwhile True: pass")
    expect(output(endless).first).to_contain_text("begun")
    notebook.press("Interrupt")
    expect(endless).to_contain_text("KeyboardInterrupt")
    notebook.until_done(endless)


def restart(notebook: NotebookPanel) -> None:
    """By the button, and the dialog that asks."""
    notebook.press("Restart the kernel")
    notebook.page.locator(".jp-Dialog button.jp-mod-styled", has_text="Restart").click()
    expect(notebook.page.locator(".jp-Dialog")).to_have_count(0)
    notebook.until_ready()
