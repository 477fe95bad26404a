"""Fixtures shared by every test: the built book, a local server for it, and a watched browser.

* ``built_site``: the folder of the site, brought up to date by an ordinary ``jupyter-book build``.
* ``site_url``: its address on a local server that compresses as a static host does.
* ``browser_page``: a blank page in Chromium. ``new_page(**options)`` makes more of them, with
  Playwright's context options (``color_scheme="dark"``, ``viewport=…``, ``has_touch=True``).
* ``open_page("book/intro.html", **options)``: such a page of the book, with its widgets drawn.
* ``page_name``: a test that asks for it runs for every page of ``_toc.yml``.

Every page is watched: a request to any other host is blocked, and such a request, an error on the
console or an uncaught exception fails the test when it ends. A test that means to cause one empties
``page.watch.errors`` (or ``.outside``) when it has looked at it. On a page that is not the book's,
``new_page(errors_count=False)``, errors may come at any time, even as the page closes.

``BOOK_HTML=/path/to/_build/html`` tests a site that is already built; ``BOOK_SCREENSHOTS=1`` leaves
pictures of every page in ``_build/screenshots``; ``BOOK_CHROMIUM`` names the browser. Without a
browser these tests are skipped, except where ``CI`` is set: there they fail.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("TQDM_DISABLE", "1")  # progress bars would fill the notebooks' stderr

# The command jupyter-book, of the Python that runs the tests.
BOOK = "from jupyter_book.cli.main import main; main()"
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def book_pages() -> list[str]:
    """Every page of the table of contents, landing page first: "book/intro", "book/01-…"."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf8"))
    parts = toc.get("parts", [toc])
    return [toc["root"]] + [entry["file"] for part in parts for entry in part["chapters"]]


def pytest_generate_tests(metafunc):
    """Run a test that asks for ``page_name`` on every page."""
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", book_pages())


def pytest_collection_modifyitems(items):
    """Browser tests last: Playwright's event loop stays open once it has been started."""
    items.sort(key=lambda item: "chromium" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def tidier():
    """The script that writes notebooks, scripts/tidy_notebooks.py, as a module."""
    place = ROOT / "scripts" / "tidy_notebooks.py"
    spec = importlib.util.spec_from_file_location("tidy_notebooks", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def built_site(testrun_uid) -> Path:
    """The folder of the rendered book. The build is incremental: seconds when nothing changed."""
    if given := os.environ.get("BOOK_HTML"):
        return Path(given).resolve()
    command = ["-c", BOOK, "build", ".", "-n", "-W", "--keep-going", "-q"]
    built = ROOT / "_build" / ".built"  # by which run of the tests
    built.parent.mkdir(exist_ok=True)
    with FileLock(ROOT / "_build" / ".lock"):  # its processes share the folder, one builds
        if not built.exists() or built.read_text() != testrun_uid:
            run = subprocess.run(
                [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
            )
            if run.returncode:
                pytest.fail(f"the book does not build:\n{run.stdout[-3000:]}\n{run.stderr[-6000:]}")
            built.write_text(testrun_uid)
    return ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def site_url(built_site) -> str:
    """The address of the served book, without a slash at its end."""
    from book_server import serve  # site/ is on the path, see pyproject.toml

    with serve(built_site) as url:
        yield url


def _chromium_path() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = (shutil.which(name) for name in names)
    return os.environ.get("BOOK_CHROMIUM") or next(filter(None, found), None)


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium driven by Playwright."""
    path = _chromium_path()
    if not path:
        message = "no Chromium found: install it (apt install chromium) or set BOOK_CHROMIUM"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


class Watch:
    """What a page asked of other hosts, and what went wrong on it."""

    def __init__(self, errors_count: bool = True):
        self.errors_count = errors_count
        self.outside: list[str] = []
        self.errors: list[str] = []

    def attach(self, context):
        """Watch every page of a browser context, present and future."""
        context.route("**/*", self._route)
        context.on("weberror", lambda error: self._error(f"uncaught: {error.error}"))
        context.on("console", self._console)

    def _route(self, route):
        address = urlsplit(route.request.url)
        if address.scheme in ("data", "blob", "file") or address.hostname in (
            "127.0.0.1",
            "localhost",
        ):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def _console(self, message):
        if message.type == "error":
            self._error(f"{message.text} ({message.location.get('url', '')})")

    def _error(self, text):
        if self.errors_count:
            self.errors.append(text)


@pytest.fixture
def new_page(chromium):
    """Make a watched page: ``new_page(color_scheme="dark", viewport={"width": 375, …})``."""
    contexts, watches = [], []

    def make(errors_count=True, **options):
        options = {"viewport": {"width": 1280, "height": 900}, **options}
        contexts.append(chromium.new_context(**options))
        watches.append(Watch(errors_count))
        watches[-1].attach(contexts[-1])
        page = contexts[-1].new_page()
        page.watch = watches[-1]
        return page

    yield make
    for context in contexts:
        context.close()
    assert [url for watch in watches for url in watch.outside] == [], "requests to other hosts"
    assert [error for watch in watches for error in watch.errors] == [], "errors on the page"


@pytest.fixture
def browser_page(new_page):
    """A watched page of 1280 by 900 pixels in the light scheme."""
    return new_page()


# The host script, where there is one, has drawn every widget.
WIDGETS_ARE_DRAWN = """() => !document.querySelector('script[src*="widget-host"]')
  || document.documentElement.dataset.widgets === "ready" """


@pytest.fixture
def open_page(new_page, request):
    """Open a page of the book, or a full address, and wait until its widgets are drawn."""

    def open_(address: str, **options):
        if "://" not in address:
            address = f"{request.getfixturevalue('site_url')}/{address}"
        page = new_page(**options)
        page.goto(address, wait_until="load")
        if options.get("java_script_enabled", True):  # else no promise is ever kept
            page.wait_for_function(WIDGETS_ARE_DRAWN)
            page.evaluate("document.fonts.ready.then(() => null)")
        return page

    return open_
