"""On the book's pages a link holds the reader's setting, and sets only what a figure lists."""

import examples
import harness
import pytest

each = pytest.mark.parametrize("name", examples.ALL)
EXPORTS = "movable, send, valueOf, written"
BUTTON = "Link to this"

# Another value of each kind that a table declares, sent as a move of the reader is.
MOVE = """() => {
  const table = module.movable(model);
  const inside = ([low, high]) => low + 0.37 * (high - low);
  const other = (kind, now) => {
    if ("whole" in kind) return now === kind.whole[1] ? kind.whole[0] : kind.whole[1];
    if ("number" in kind) return kind.step ? kind.step : inside(kind.number);
    if ("flag" in kind) return !now;
    if ("oneOf" in kind) return kind.oneOf.find((value) => value !== now);
    if ("numbers" in kind) return kind.numbers.map(inside);
    if ("ink" in kind) {
      const ink = Uint8Array.from({ length: kind.ink }, (_, i) => (i % 3 ? 0 : 255));
      return new DataView(ink.buffer);
    }
    const points = Object.entries(kind.points);
    return Object.fromEntries(points.map(([name, ranges]) => [name, ranges.map(inside)]));
  };
  const moved = Object.entries(table).map(([name, kind]) => [name, other(kind, model.get(name))]);
  module.send(model, Object.fromEntries(moved));
}"""

# The traits that a link may set, flat.
MOVED = """() => Object.keys(module.movable(model)).flatMap((name) => {
  const value = model.get(name);
  if (value instanceof DataView) return [...new Uint8Array(value.buffer, value.byteOffset)];
  return [value].flat().flatMap((v) => (typeof v === "object" ? Object.values(v).flat() : [v]));
})"""


def book(page, name, link=""):
    return harness.show(page, examples.ALL[name](), exports=EXPORTS, book=True, link=link)


def hash_of(page) -> str:
    return page.evaluate("location.hash")


def close(values) -> list:
    return [pytest.approx(v, rel=1e-5) if isinstance(v, float) else v for v in values]


@each
def test_a_link_brings_back_what_the_reader_has_moved(new_page, name):
    page = book(new_page(), name)
    harness.settle(page)  # a code that the page leaves to the figure is there after a frame
    before = page.evaluate(MOVED)
    page.evaluate(MOVE)
    harness.settle(page)
    want = page.evaluate(MOVED)
    assert want != before and hash_of(page) == "", "nothing happens to the address by itself"
    page.get_by_role("button", name=BUTTON).click()
    page.get_by_text("The address now holds this setting").wait_for()
    linked = book(new_page(), name, hash_of(page))
    harness.settle(linked)
    assert linked.evaluate(MOVED) == close(want)
    if linked.get_by_role("button", name="Reset", exact=True).count() and name != "train_vae":
        linked.get_by_role("button", name="Reset", exact=True).click()
        harness.settle(linked)
        assert linked.evaluate(MOVED) == before, "Reset leads back to the page's own setting"


NONSENSE = [
    "",
    "x",
    "-1e9",
    "1e99",
    "NaN",
    "Infinity",
    "0x1",
    "1;2;3;4;5;6;7",
    "<b>",
    ";",
    "½",
    "null",
    "toString",
]


@each
def test_nonsense_in_a_link_changes_nothing(new_page, name):
    page = book(new_page(), name)
    harness.settle(page)
    before = page.evaluate(MOVED)
    taken = page.evaluate(
        """(texts) => Object.values(module.movable(model))
          .flatMap((kind) => texts.filter((text) => module.valueOf(kind, text) !== undefined))""",
        NONSENSE,
    )
    assert taken == []
    page.get_by_role("button", name=BUTTON).click()
    own = hash_of(page).partition("=")[0]
    traits = [*page.evaluate("Object.keys(module.movable(model))"), "_esm", "__proto__", "nothing"]
    other = book(new_page(), name, f"{own}=" + ",".join(f"{trait}:x" for trait in traits))
    harness.settle(other)
    assert other.evaluate(MOVED) == before


@pytest.mark.parametrize(
    "link", ["", "=%", "=,,::", "-2=q:2;1", "=_esm:1", "=q:2;1;", "=q:2", "=q"]
)
def test_what_is_no_setting_changes_nothing(new_page, link):
    page = book(new_page(), "two_gaussians", f"#two-gaussians{link}")
    assert page.evaluate(MOVED) == [1, 0.7, 0, 1.5, "q||p"]


def test_a_link_on_an_open_page_is_taken_too(new_page):
    page = book(new_page(), "two_gaussians")
    for q in ([2, 1], [0, 1]):
        page.evaluate("(hash) => (location.hash = hash)", f"#two-gaussians=q:{q[0]};{q[1]}")
        page.wait_for_function("(q) => String(model.get('q')) === String(q)", arg=q)
    page.get_by_role("button", name="Reset", exact=True).click()
    assert harness.trait(page, "q") == [1, 0.7]


def test_only_what_was_moved_stands_in_the_link(new_page):
    page = book(new_page(), "two_gaussians")
    page.get_by_role("button", name=BUTTON).click()
    assert hash_of(page) == "#two-gaussians="
    page.get_by_role("button", name="Shade p log(p/q)").click()
    page.get_by_role("button", name=BUTTON).click()
    assert hash_of(page) == "#two-gaussians=shaded:p%7C%7Cq"
    slider = page.get_by_role("slider", name="mean of q")
    slider.press("ArrowRight")
    harness.settle(page)
    assert page.get_by_text("The address now").count() == 0, "what it said holds no more"
    assert page.get_by_text("The address holds an earlier setting.").is_visible()
    page.get_by_role("button", name=BUTTON).click()
    assert hash_of(page) == "#two-gaussians=shaded:p%7C%7Cq,q:1.01;0.7"


def test_a_link_is_taken_however_it_was_encoded_on_its_way(new_page):
    page = book(new_page(), "two_gaussians", "#two-gaussians=q%3A2%3B1,shaded:p||q,p:9;9")
    assert harness.trait(page, "q") == [2, 1]
    assert harness.trait(page, "shaded") == "p||q"
    assert harness.trait(page, "p") == [0, 1.5], "out of range"


@pytest.mark.parametrize("allowed", [True, False])
def test_it_is_copied_where_that_is_allowed(new_page, allowed):
    page = book(new_page(), "lambda_plane")
    page.evaluate(
        """(allowed) => Object.defineProperty(navigator, "clipboard", { value: {
          writeText: async (text) => {
            if (!allowed) throw new Error("not allowed");
            window.copied = text;
          },
        } })""",
        allowed,
    )
    page.get_by_role("slider", name="correlation").press("ArrowLeft")
    page.get_by_role("button", name=BUTTON).click()
    said = page.locator(".vw-foot [aria-live]")
    want = "The address now holds this setting" + ("; copied." if allowed else ".")
    page.wait_for_function(
        "(want) => document.querySelector('.vw-foot [aria-live]').textContent === want", arg=want
    )
    assert said.is_visible()
    assert page.evaluate("window.copied") == (page.url if allowed else None)


ANOTHER = """async () => {
  const traits = {};
  window.other = {
    get: (name) => traits[name] ?? model.get(name),
    set: (name, value) => (traits[name] = value),
    on() {}, off() {}, save_changes() {},
  };
  const el = document.createElement("div");
  document.getElementById("host").after(el);
  window.module.default.render({ model: other, el });
}"""


def test_the_second_figure_of_a_class_has_a_name_of_its_own(new_page):
    page = book(new_page(), "two_gaussians", "#two-gaussians-2=q:0;1")
    page.evaluate(ANOTHER)
    harness.settle(page)
    assert harness.trait(page, "q") == [1, 0.7]
    assert page.evaluate("other.get('q')") == [0, 1]
    page.get_by_role("button", name=BUTTON).last.click()
    assert hash_of(page) == "#two-gaussians-2=q:0;1"
    page.get_by_role("button", name=BUTTON).first.click()
    assert hash_of(page) == "#two-gaussians="


def test_a_figure_that_the_link_names_comes_into_sight(new_page):
    for link, seen in (("#two-gaussians=", True), ("#elsewhere=", False)):
        page = new_page(viewport={"width": 600, "height": 500})
        page.add_init_script(
            "addEventListener('DOMContentLoaded', () => document.body.style.paddingTop = '2000px')"
        )
        book(page, "two_gaussians", link)
        harness.settle(page)
        assert (page.evaluate("scrollY") > 1500) is seen


def test_elsewhere_than_in_the_book_there_is_no_link(browser_page):
    page = harness.show(browser_page, examples.two_gaussians(), link="#two-gaussians=q:2;1")
    assert harness.trait(page, "q") == [1, 0.7]
    assert page.get_by_role("button", name=BUTTON).count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_foot_fits_a_telephone(new_page, theme):
    page = new_page(viewport={"width": 320, "height": 700})
    harness.show(page, examples.draw_digit(), theme, book=True)
    page.get_by_role("button", name=BUTTON).click()
    page.get_by_text("The address now").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
