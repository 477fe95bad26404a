"""JupyterLab in the browser: every chapter reads well there, and two are run whole."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    # Every cell is in the page however long it is.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "extensionmanager-extension/plugin": {"enabled": False},
}
CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets
  .filter(cell => cell.model.type === "code")
  .map(cell => ({
    count: cell.model.executionCount,
    errors: cell.model.outputs.toJSON().filter(output => output.output_type === "error"),
  }))"""
KERNEL_IS_IDLE = """() => window.jupyterapp?.shell.currentWidget
  ?.sessionContext?.session?.kernel?.status === "idle" """
HAS_ENDED = f"""() => {{
  const cells = ({CELLS})();
  return cells.every(cell => cell.count !== null) || cells.some(cell => cell.errors.length);
}}"""

ASK_THE_KERNEL = """async code => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  const future = kernel.requestExecute({ code, store_history: false });
  let text = "";
  future.onIOPub = message => {
    if (message.header.msg_type === "stream") text += message.content.text;
  };
  await future.done;
  return text;
}"""
TRAITS = """
import gc
import anywidget

for _widget in gc.get_objects():
    if isinstance(_widget, anywidget.AnyWidget):
        _names = [name for name in _widget.keys if not name.startswith("_")]
        _small = [repr(getattr(_widget, name))[:200] for name in _names]
        print([text for text in _small if "object at" not in text])  # weights are long
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_answered(url: str, process, seconds: float = 90):
    """Wait until the server answers; fail at once if it has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "JupyterLab ended before it answered"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail("JupyterLab did not answer in time")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab on a copy of the chapters; gives the address of a notebook by its name."""
    root, port, token = tmp_path_factory.mktemp("lab"), free_port(), secrets.token_hex(16)
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns(".*"))
    for name, values in SETTINGS.items():
        path = root / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    options = {
        "ServerApp.root_dir": root / "book",
        "ServerApp.port": port,
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "IdentityProvider.token": token,
        "LabApp.user_settings_dir": root / "settings",
        "LabApp.workspaces_dir": root / "workspaces",
        "LabApp.expose_app_in_browser": True,
        "LabApp.extension_manager": "readonly",
        "LabApp.app_settings_dir": ROOT / "site" / "jupyterlab",  # as in the Makefile
    }
    command = [sys.executable, "-m", "jupyterlab", *(f"--{k}={v}" for k, v in options.items())]
    with (root / "lab.log").open("w") as log:
        # One thread: beside a busy browser, PyTorch's threads would wait for each other.
        env = os.environ | {"OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=root, env=env)
        try:
            wait_until_answered(f"http://127.0.0.1:{port}/api?token={token}", process)
            yield lambda name: f"http://127.0.0.1:{port}/lab/tree/{name}.ipynb?token={token}&reset"
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture
def page(new_page):
    """A page in which errors do not count: JupyterLab's own console is not the book's."""
    return new_page(errors_count=False)


OPEN = """async path => {
  const widget = await window.jupyterapp.commands.execute("docmanager:open", { path });
  await widget.context.ready;
  await widget.revealed;
  await Promise.all(widget.content.widgets.map(cell => cell.ready));
  await new Promise(done => setTimeout(done, 300));
  return widget.content.widgets.map(cell => ({
    kind: cell.model.type,
    source: cell.model.sharedModel.getSource(),
    tags: cell.model.getMetadata("tags") ?? [],
    shown: cell.node.querySelector(".jp-RenderedMarkdown")?.innerText ?? "",
    hidden: cell.inputHidden ?? false,
    bottom: cell.node.getBoundingClientRect().bottom,
  }));
}"""
CLOSE = """async () => {
  const widget = window.jupyterapp.shell.currentWidget;
  await widget.context.sessionContext.shutdown();
  widget.dispose();
}"""
RAW = re.compile(r"\{[a-z][\w:-]*\}`|^ *:::|\(eq-|\]\(\w|\\tag", re.MULTILINE)
FIGURE = 200  # pixels of a chapter's first figure, at least, are on the first screen
FOLDED = {"hide-input", "remove-input", "remove-cell"}


def test_every_chapter_reads_well_folds_its_code_and_hides_its_solutions(lab, page):
    page.goto(lab("intro"))
    page.wait_for_function(KERNEL_IS_IDLE, timeout=120_000)
    assert page.locator(".Toastify__toast").all_text_contents() == [], "a question is asked"
    tops = {}  # pixels above the first figure, which comes below its folded cell
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        cells = page.evaluate(OPEN, path.name)
        for cell in cells:
            where = f"{path.name}: {cell['source'][:200]}"
            if cell["kind"] == "markdown":
                assert cell["shown"].strip(), where
                assert not RAW.search(cell["shown"]), where
            else:
                assert cell["hidden"] == bool(FOLDED & set(cell["tags"])), where
        code = [cell for cell in cells if cell["kind"] == "code"]
        figure = next(cell for cell in code[2:] if cell["hidden"])  # those install and import
        if path.stem != "when-it-does-not-train":  # which begins with a table
            tops[path.stem] = round(figure["bottom"])
        solutions = [cell for cell in cells if cell["source"].startswith("# Solution ")]
        assert all(cell["hidden"] for cell in solutions)
        assert bool(solutions) == (path.stem != "intro")
        page.evaluate(CLOSE)
    low = {name: top for name, top in tops.items() if top > 900 - FIGURE}
    assert low == {}, "the first figure, once run, is not on the first screen"


def test_links_lead_to_solutions_and_to_works_and_a_solution_opens(lab, page):
    page.goto(lab("08-the-elbo"))
    page.wait_for_function(KERNEL_IS_IDLE, timeout=120_000)
    page.get_by_role("link", name="Solution", exact=True).first.click()
    heading = page.get_by_role("heading", name="Solution 8.1")
    page.wait_for_timeout(500)
    assert 0 <= heading.bounding_box()["y"] < 900
    solution = page.locator(".jp-CodeCell", has_text="# Solution 8.1").first
    assert (
        solution.locator(".cm-content").count() == 0
        or not solution.locator(".cm-content").is_visible()
    )
    solution.locator(".jp-InputPlaceholder, .jp-Placeholder").first.click()
    assert solution.locator(".cm-content").is_visible()
    citation = page.locator('a[href*="references.md"]:visible').last
    key = citation.get_attribute("href").rpartition("#")[2]
    citation.click()
    work = page.locator(f'.jp-MarkdownViewer [data-jupyter-id="{key}"]')
    work.wait_for(state="attached")
    page.wait_for_timeout(500)
    top = work.evaluate("element => element.getBoundingClientRect().top")
    assert 0 <= top < 900, "the bibliography opens at the work"


def run_all(page, address: str):
    """Open a notebook in JupyterLab and run every cell."""
    page.goto(address)
    page.wait_for_function(KERNEL_IS_IDLE, timeout=120_000)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.wait_for_function(HAS_ENDED, timeout=900_000, polling=1000)  # outputs are large
    page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)


def train_on_a_drawing(page, training):
    """Draw by keyboard, which is no shortcut of JupyterLab's here, and train on that alone."""
    training.get_by_role("button", name="Your own digits").click()
    training.locator(".vw-board").focus()
    for key in ("Space", *["Shift+ArrowDown"] * 4, "Space", "Enter"):
        page.keyboard.press(key)
    training.get_by_role("button", name="take back drawing 1").wait_for()
    training.get_by_role("button", name="Mine alone").click()
    training.get_by_role("button", name="One epoch").click()
    training.get_by_text("Dashed: in training, on yours alone").wait_for()
    page.wait_for_function(
        "Number(document.querySelector('.vw-train > .vw-slider:last-of-type input').max) > 0"
    )


@pytest.mark.parametrize("name", ["intro", "10-the-vae"])
def test_a_chapter_runs_and_its_widget_answers(lab, page, name):
    if not (ROOT / "book" / f"{name}.ipynb").exists():
        pytest.skip("not written yet")
    run_all(page, lab(name))
    assert [cell["errors"] for cell in page.evaluate(CELLS) if cell["errors"]] == []

    assert page.locator(".jupyter-widgets-error-widget").count() == 0, "a widget is not shown"

    first = page.locator(".jp-OutputArea-output :is(img, .vw)").first
    page.locator(".jp-Cell").first.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    assert 0 < first.bounding_box()["y"] < 900 - FIGURE, "the first figure is on the first screen"

    handle = page.locator(".jp-OutputArea-output .vw [role=slider]").first
    handle.scroll_into_view_if_needed()
    shown = handle.get_attribute("aria-valuetext")
    known = page.evaluate(ASK_THE_KERNEL, TRAITS)
    handle.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert handle.get_attribute("aria-valuetext") != shown, "the widget moves"
    assert page.evaluate(ASK_THE_KERNEL, TRAITS) != known, "the kernel hears of it"
    for training in page.locator(".jp-OutputArea-output .vw-train").all():
        training.get_by_role("button", name="One epoch").click()  # the kernel sends the digits
        page.wait_for_function("document.querySelector('.vw-train').textContent.includes('nats')")
        train_on_a_drawing(page, training)
    folder = ROOT / "_build" / "screenshots" / "jupyterlab"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
    assert page.watch.outside == []
