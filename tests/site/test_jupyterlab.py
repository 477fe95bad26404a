"""JupyterLab in the browser runs a chapter, and its widget answers with the kernel behind it."""

import json
import os
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
    # No news from jupyter.org, no updates, and every cell in the page however long it is.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
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


@pytest.fixture
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
    }
    command = [sys.executable, "-m", "jupyterlab", *(f"--{k}={v}" for k, v in options.items())]
    with (root / "lab.log").open("w") as log:
        # One thread: beside a busy browser, PyTorch's threads would wait for each other.
        env = os.environ | {"OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=root, env=env)
        try:
            wait_until_answered(f"http://127.0.0.1:{port}/api?token={token}", process)
            yield lambda name: f"http://127.0.0.1:{port}/lab/tree/{name}.ipynb?token={token}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def run_all(page, address: str):
    """Open a notebook in JupyterLab and run every cell."""
    page.goto(address)
    page.wait_for_function(KERNEL_IS_IDLE, timeout=120_000)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.wait_for_function(HAS_ENDED, timeout=900_000, polling=1000)  # outputs are large
    page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)


@pytest.mark.parametrize("name", ["intro", "10-the-vae"])
def test_a_chapter_runs_and_its_widget_answers(lab, new_page, name):
    if not (ROOT / "book" / f"{name}.ipynb").exists():
        pytest.skip("not written yet")
    page = new_page(viewport={"width": 1400, "height": 1000})
    run_all(page, lab(name))
    assert [cell["errors"] for cell in page.evaluate(CELLS) if cell["errors"]] == []

    assert page.locator(".jupyter-widgets-error-widget").count() == 0, "a widget is not shown"

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
    folder = ROOT / "_build" / "screenshots" / "jupyterlab"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
    assert page.watch.outside == []
    page.watch.errors.clear()  # JupyterLab's own console is not the book's
