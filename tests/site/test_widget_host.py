"""The host script draws anywidgets from the stored state, and says what needs a kernel."""

import pytest

DEFINITIONS = """
import anywidget
import ipywidgets
import traitlets


class Counter(anywidget.AnyWidget):
    _esm = '''
    let started = 0;
    export default {
      initialize({ model }) { model.started = ++started; },
      render({ model, el }) {
        const bytes = model.get("data");
        const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
        const button = document.createElement("button");
        const show = () => {
          const sum = floats.reduce((total, value) => total + value, 0);
          button.textContent = `count ${model.get("count")}, sum ${sum}, start ${model.started}`;
        };
        button.onclick = () => {
          model.set("count", model.get("count") + 1);
          model.save_changes();
        };
        model.on("change:count", show);
        show();
        el.append(button);
      },
    };
    '''
    _css = ".count-css { color: rgb(1, 2, 3) } button { font-weight: 700 }"
    count = traitlets.Int(3).tag(sync=True)
    data = traitlets.Bytes().tag(sync=True)


class Named(anywidget.AnyWidget):
    _esm = "export function render({ el }) { el.textContent = 'named export'; }"


class Lazy(anywidget.AnyWidget):
    _esm = "export default async () => ({ render({ el }) { el.textContent = 'function'; } });"


class Broken(anywidget.AnyWidget):
    _esm = "export default { render() { throw new Error('no such pixel'); } };"


class Handlers(anywidget.AnyWidget):
    _esm = '''
    export default { render({ model, el }) {
      const seen = [];
      const any = () => seen.push("any");
      model.on("change", any);
      model.on("change:pair", (_, value) => seen.push(value.join("-")));
      model.set("pair", [1, 2]);            // equal to what it is: no event
      model.set({ pair: [3, 4] });
      model.off("change", any);
      model.set("pair", [5, 6]);
      model.off("change:pair");
      model.set("pair", [7, 8]);
      el.textContent = seen.join(" ");
    } };
    '''
    pair = traitlets.List([1, 2]).tag(sync=True)
"""

PANEL = """
import io
from PIL import Image as Picture

stream = io.BytesIO()
Picture.new("RGB", (40, 20), (200, 30, 30)).save(stream, "png")

class Described(ipywidgets.Image):
    alt = traitlets.Unicode().tag(sync=True)


result = Described(value=stream.getvalue(), format="png", alt="A red board")
train = ipywidgets.Button(description="Train")
ipywidgets.VBox([ipywidgets.HBox([ipywidgets.IntSlider(description="D"), train]), result])
"""


@pytest.fixture(scope="module")
def host_page(module_book):
    """A chapter with each kind of widget, built once."""
    floats = "import struct\nw = Counter(data=struct.pack('<4f', 0, 1, 2, 3.5))\nw"
    widgets = ["w", "Named()", "Lazy()", "Handlers()", "Broken()", PANEL]
    mixed = "ipywidgets.VBox([Named(), ipywidgets.HTML('text')])"
    cells = [(source, {}) for source in [DEFINITIONS, floats, *widgets, mixed]]
    module_book.notebook("01-one", "# 1. One", *cells)
    module_book.build(GITHUB_REPOSITORY="Owner/the-book")


@pytest.fixture
def page(host_page, module_book_url, open_page):
    """That chapter in the browser; the error of its broken widget is expected."""
    page = open_page(f"{module_book_url}/book/01-one.html")
    yield page
    assert [error for error in page.watch.errors if "no such pixel" not in error] == []
    page.watch.errors.clear()


def test_two_views_share_one_model_and_its_binary_trait_arrives(page):
    buttons = page.locator(".book-widget button")
    assert buttons.all_text_contents() == ["count 3, sum 6.5, start 1"] * 2
    buttons.first.click()
    assert buttons.all_text_contents() == ["count 4, sum 6.5, start 1"] * 2


def test_the_widgets_style_sheet_is_added_once(page):
    found = page.locator("head style").all_text_contents()
    assert len([css for css in found if "count-css" in css]) == 1


def test_every_form_of_module_is_understood(page):
    texts = page.locator(".book-widget").all_text_contents()
    assert "named export" in texts
    assert "function" in texts


def test_change_events_come_as_in_jupyter(page):
    assert "3-4 any 5-6" in page.locator(".book-widget").all_text_contents()


def test_an_error_is_told_in_the_place_of_the_widget(page):
    told = page.get_by_role("alert")
    assert told.all_text_contents() == ["This figure could not be drawn here: no such pixel"]
    assert page.locator(".book-widget").count() == 7, "the others are drawn all the same"


def test_a_panel_that_needs_python_says_so_and_shows_its_picture(page):
    notice = page.get_by_role("note")
    assert notice.count() == 1, "a box without controls needs no notice"
    assert "need a running kernel" in notice.text_content()
    links = notice.get_by_role("link")
    assert "mybinder.org/v2/gh/Owner/the-book" in links.nth(0).get_attribute("href")
    assert links.nth(1).get_attribute("href").endswith("/intro.html#how-to-read-launch-and-rerun")
    picture = page.get_by_alt_text("A red board")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 40


def test_a_widget_without_its_state_fails_the_build(mini_book):
    view = '{"version_major": 2, "version_minor": 0, "model_id": "0123456789abcdef"}'
    source = (
        "from IPython.display import display\n"
        f"display({{'application/vnd.jupyter.widget-view+json': {view}}}, raw=True)"
    )
    mini_book.notebook("01-one", "# 1. One", (source, {}))
    run = mini_book.try_build()
    assert run.returncode != 0
    assert "state of 1 widget(s) is missing" in run.stdout + run.stderr
