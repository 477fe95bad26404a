"""What docs/publishing.md says of hosts: addresses, a sub-path, and content policies."""

import re
import shutil
from pathlib import Path

import pytest
from book_server import serve
from book_site.repository import site_address
from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[2]
ADVICE = (ROOT / "docs" / "publishing.md").read_text("utf8")

WIDGET = """
import anywidget

class Figure(anywidget.AnyWidget):
    _esm = '''
    export default { async render({ el }) {
      const source = new Blob(["postMessage(6 * 7)"], { type: "text/javascript" });
      const worker = new Worker(URL.createObjectURL(source));
      const answer = await new Promise((done) => (worker.onmessage = ({ data }) => done(data)));
      const button = document.createElement("button");
      button.textContent = `answer ${answer}`;
      button.onclick = () => (button.textContent = "touched");
      el.append(button);
    } };
    '''
    _css = ".book-widget button { color: rgb(1, 2, 3) }"

Figure()
"""
PICTURE = (
    "from PIL import Image\nImage.new('L', (40, 20))",
    {"mystnb": {"image": {"alt": "A black board", "classes": "dark-light"}}},
)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("https://uni.example/vae", "https://uni.example/vae/"),
        ("https://uni.example/vae/", "https://uni.example/vae/"),
        ("http://localhost:8000", "http://localhost:8000/"),
        ("https://uni.example/~ann/b%C3%BCcher", "https://uni.example/~ann/b%C3%BCcher/"),
        ("", "https://owner.github.io/book/"),
    ],
)
def test_the_address_is_the_one_given_or_that_of_pages(monkeypatch, given, address):
    monkeypatch.setenv("BOOK_URL", given)
    assert site_address("Owner/book") == address


WRONG = ["uni.example/vae", "//uni.example", "https://", "https:///vae", "ftp://uni.example"]
WRONG += ["https://uni.example/?a=b", "https://uni.example/#a", "https://uni.example/my book"]
WRONG += ['https://uni.example/"><script>', "/vae/"]


@pytest.mark.parametrize("given", WRONG)
def test_what_is_no_address_is_refused_with_an_example(monkeypatch, given):
    monkeypatch.setenv("BOOK_URL", given)
    with pytest.raises(ExtensionError, match=r"not the whole address.*such as https://"):
        site_address("Owner/book")


@pytest.mark.parametrize("setting", [{"BOOK_URL": "uni.example"}, {"BOOK_KATEX": "missing.tgz"}])
def test_a_build_ends_at_a_wrong_setting_and_names_it(mini_book, setting):
    shutil.rmtree(mini_book.root / "_build", ignore_errors=True)
    run = mini_book.try_build(**setting)
    assert run.returncode != 0
    ((name, value),) = setting.items()
    assert re.search(rf"{name}\b.*{value}", run.stdout + run.stderr)


@pytest.fixture(scope="module")
def chapter(module_book):
    """A mini-book, built without an address, with a formula, a picture and a figure."""
    figure = (WIDGET, {})
    module_book.notebook("01-one", "# 1. One\n\nHere $x^2 = \\frac{1}{2}$.", PICTURE, figure)
    module_book.build()
    return module_book.html


def test_under_a_sub_path_a_missing_page_finds_the_book_without_an_address(
    chapter, tmp_path, open_page
):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "vae").symlink_to(chapter)
    shutil.copy(chapter / "404.html", tmp_path)  # a host's root serves it for every path
    with serve(tmp_path) as url:
        page = open_page(f"{url}/deep/vae/no/such/page.html")
        link = page.locator("article a").first
        assert link.evaluate("link => link.href") == f"{url}/deep/vae/book/intro.html"
        sheets = page.evaluate("[...document.styleSheets].map(sheet => sheet.cssRules.length)")
        assert len(sheets) > 3 and all(sheets), "a style sheet was not found"
        link.click()
        page.get_by_role("heading", name="Mini", level=1).wait_for()
    page.watch.errors = [error for error in page.watch.errors if "404" not in error]


VALUE = "(slider) => slider.getAttribute('aria-valuetext') ?? slider.value"


def policy(name: str) -> str:
    """The content policy of that name in docs/publishing.md."""
    return re.search(rf"^```text {name}\n(.*)\n```", ADVICE, flags=re.MULTILINE)[1]


@pytest.mark.parametrize("name", ["least", "everything"])
def test_a_page_is_whole_under_the_policies_that_are_advised(chapter, new_page, name):
    with serve(chapter, headers={"Content-Security-Policy": policy(name)}) as url:
        page = new_page(color_scheme="dark")  # not open_page, which waits with an eval
        page.goto(f"{url}/book/01-one.html")
        button = page.get_by_role("button", name="answer 42")
        assert button.evaluate("element => getComputedStyle(element).color") == "rgb(1, 2, 3)"
        button.click()
        assert page.get_by_role("button", name="touched").is_visible()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        bar = page.locator(".katex .mfrac .frac-line")
        assert bar.evaluate("element => getComputedStyle(element).borderBottomStyle") == "solid"
        assert page.locator("article img").evaluate("image => image.naturalWidth") == 40
        page.evaluate("localStorage.clear()")
        page.locator(".theme-switch-button:visible").first.click()
        chosen = page.evaluate("document.documentElement.dataset.mode")
        assert chosen in ("light", "dark"), "the theme leaves auto first"
        page.goto(f"{url}/book/intro.html")
        assert page.evaluate("document.documentElement.dataset.mode") == chosen
    if name == "least":
        only_the_theme_complains(page)


def only_the_theme_complains(page):
    """Of its own lines, as docs/publishing.md says of the least policy."""
    assert [error for error in page.watch.errors if "Executing inline" not in error] == []
    assert page.watch.errors
    page.watch.errors.clear()


@pytest.mark.parametrize("name", ["05-bayes-and-the-evidence", "10-the-vae"])
def test_a_chapter_is_whole_below_a_sub_path_under_the_least_policy(
    built_site, tmp_path, new_page, name
):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "vae").symlink_to(built_site)
    with serve(tmp_path, headers={"Content-Security-Policy": policy("least")}) as url:
        page = new_page()
        page.goto(f"{url}/deep/vae/book/{name}.html")
        page.locator("[data-widgets=ready]").wait_for()
        assert page.locator(".vw").count() >= 1
        assert page.get_by_role("alert").all_text_contents() == []
        slider = page.locator(".vw [role=slider], .vw input[type=range]").first
        before = slider.evaluate(VALUE)
        slider.press("ArrowRight")
        assert slider.evaluate(VALUE) != before
    only_the_theme_complains(page)


def test_less_than_the_least_policy_stops_the_figure(chapter, new_page):
    """Else the policy that is called the least would not be."""
    less = policy("least").replace("script-src 'self' blob:", "script-src 'self'")
    with serve(chapter, headers={"Content-Security-Policy": less}) as url:
        page = new_page()
        page.goto(f"{url}/book/01-one.html")
        page.locator("[data-widgets=ready]").wait_for()
        assert page.get_by_role("button", name="answer 42").count() == 0
    assert any("blob:" in error for error in page.watch.errors)
    page.watch.errors.clear()
