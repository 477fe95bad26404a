"""Light or dark from the first, and the theme's own files without what the book does not use."""

import pytest
import tinycss2
from book_site import theme
from sphinx.errors import ExtensionError


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("chosen", [None, "auto", "light", "dark", "no such mode"])
def test_the_scheme_is_there_before_the_themes_script(new_page, site_url, scheme, chosen):
    page = new_page(errors_count=False, color_scheme=scheme)
    page.route("**/*.js", lambda r: r.fallback() if "/theme.js" in r.request.url else r.abort())
    if chosen is not None:
        page.add_init_script(f"localStorage.setItem('mode', '{chosen}')")
    page.goto(f"{site_url}/book/notation.html")
    seen = page.evaluate("({ ...document.documentElement.dataset })")
    assert seen["theme"] == (chosen if chosen in ("light", "dark") else scheme)


@pytest.mark.parametrize(
    "refuse",
    [
        "Object.defineProperty(window, 'localStorage', { get() { throw 1 }, configurable: true })",
        "Storage.prototype.setItem = () => { throw 1 }",
    ],
)
def test_where_nothing_may_be_stored_scheme_and_buttons_work(new_page, site_url, refuse):
    page = new_page(color_scheme="dark")
    page.add_init_script(refuse)
    page.goto(f"{site_url}/book/notation.html")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.keyboard.press("Control+k")
    page.locator("#pst-search-dialog").wait_for()
    page.keyboard.press("Escape")
    page.locator(".theme-switch-button:visible").first.click()
    assert page.evaluate("document.documentElement.dataset.mode") in ("light", "dark")


# Of the whole sheet, what is not in the shipped one and finds something on the page, whatever its
# state is: pointed at, opened, chosen.
MISSED = r"""(whole) => {
  const flat = (rules) => [...rules].flatMap((rule) =>
    rule.selectorText ? rule.selectorText.split(/,(?![^(]*\))/).map((text) => text.trim())
      : rule.cssRules ? flat(rule.cssRules) : []);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(whole);
  const shipped = [...document.styleSheets].find(({ href }) => href?.includes("pydata-sphinx"));
  const kept = new Set(flat(shipped.cssRules));
  const away = [...new Set(flat(sheet.cssRules))].filter((text) => !kept.has(text));
  const state = /(^|[\s>+~])?(::?[\w-]+(\(([^()]|\([^()]*\))*\))?)+/g;
  const any = (all, before) => (before === undefined ? "" : `${before}*`);
  const bare = (text) => text.replace(state, any);
  const missed = away.filter((text) => document.querySelector(bare(text)));
  return { away: away.length, missed };
}"""


def opened(page):
    """The words on the theme's buttons, its dialog and its menu are on the page."""
    page.locator(".theme-switch-button:visible").first.focus()
    page.locator(".tooltip").wait_for()
    page.locator(".search-button__button:visible").first.click()
    page.keyboard.type("evidence")
    page.keyboard.press("Escape")
    page.locator(".dropdown-download-buttons > button").click()


def missed(page) -> list[str]:
    """The rules that are left out and find something on the page."""
    found = page.evaluate(MISSED, (theme.THEME / theme.SHEET).read_text("utf8"))
    assert found["away"] > 4000
    return found["missed"]


def test_no_rule_of_the_themes_sheet_is_missed(open_page, page_name):
    page = open_page(f"{page_name}.html")
    if page_name == "book/10-the-vae":
        opened(page)
    assert missed(page) == []


def test_search_misses_no_rule_either(open_page):
    page = open_page("search.html?q=evidence")
    page.locator("#search-results li").first.wait_for()
    assert missed(page) == []


@pytest.mark.parametrize(
    ("sheet", "kept"),
    [
        (".here{a:b}.gone{a:b}", ".here{a:b}"),
        (".here .gone,.here>p , h1{a:b}", ".here>p,h1{a:b}"),
        ("#here.gone{a:b}p#here{a:b}", "p#here{a:b}"),
        (".here:not(.gone,.lost){a:b}", ".here:not(.gone,.lost){a:b}"),
        (":is(.gone,.here){a:b}", ":is(.gone,.here){a:b}"),
        ("[class^=gone]{a:b}", "[class^=gone]{a:b}"),
        ("@media print{.gone{a:b}}@media print{.here{a:b}.gone{a:b}}", "@media print{.here{a:b}}"),
        ("@media print;.here{a:b}", ".here{a:b}"),
        ("@font-face{font-family:gone}", "@font-face{font-family:gone}"),
        (r".over\:here{a:b}", ""),
    ],
)
def test_a_selector_stays_where_all_that_it_needs_is_there(sheet, kept):
    assert theme.trimmed(tinycss2.parse_stylesheet(sheet), {"here"}) == kept


@pytest.mark.parametrize("folder", ["html", "_static/html"])
def test_words_are_those_of_pages_and_scripts(tmp_path, folder):
    out = tmp_path / folder
    (out / "_static/scripts").mkdir(parents=True)
    for name, text in {
        "book.html": '<p class="of-page">',
        "_static/tips.js": "add('of-script')",
        "_static/scripts/fontawesome.js": "'of-icons'",
        "_static/webpack-macros.html": "of-template",
    }.items():
        (out / name).write_text(text)
    assert {"of-page", "of-script"} <= theme.words_of(out)
    assert not {"of-icons", "of-template"} & theme.words_of(out)


def test_an_address_tells_what_the_file_holds():
    page = f'<link href="../_static/{theme.SHEET}"><script src="../_static/other.js"></script>'
    first, second = (theme.with_digests(page, {theme.SHEET: text}) for text in ("a", "b"))
    assert first != second and first.count("?v=") == 1
    assert theme.with_digests(first, {theme.SHEET: "b"}) == second


def test_another_script_of_the_theme_is_refused():
    script = (theme.THEME / theme.SCRIPT).read_text("utf8")
    assert "tabIndex" in script
    assert theme.without_stops(script).count("addEventListener") == script.count("addEvent") - 1
    with pytest.raises(ExtensionError, match="STOPS"):
        theme.without_stops(theme.without_stops(script))


def test_the_site_has_the_lighter_files(built_site):
    for name in (theme.SHEET, theme.SCRIPT):
        shipped, whole = built_site / "_static" / name, theme.THEME / name
        assert shipped.stat().st_size < whole.stat().st_size
        page = (built_site / "book" / "intro.html").read_text("utf8")
        assert theme.with_digests(page, {name: shipped.read_text("utf8")}) == page
