"""On chapter 10's page a VAE is trained, with no kernel and from a folder of files too."""

import pytest

DIGITS = """() => performance.getEntriesByType("resource")
  .map(({ name }) => name).filter((name) => name.includes("digits-14"))"""


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_the_digits_come_when_they_are_asked_for_and_a_vae_learns(
    built_site, new_page, open_page, scheme
):
    page = open_page("book/10-the-vae.html") if scheme == "http" else new_page()
    if scheme == "file":
        page.goto((built_site / "book" / "10-the-vae.html").as_uri())
    figure = page.locator(".vw-train")
    figure.scroll_into_view_if_needed()
    button = figure.get_by_role("button", name="One epoch")
    button.wait_for()
    assert page.locator("script[src*=digits]").count() == 0 and page.evaluate(DIGITS) == []
    button.click()
    page.wait_for_function("document.querySelector('.vw-train').textContent.includes('nats')")
    assert page.locator("script[src*=digits]").count() == 1
    epoch = figure.get_by_label("epoch shown")
    page.wait_for_function(
        "document.querySelector('.vw-train').querySelectorAll('input')[1].max > 0"
    )
    assert epoch.input_value() == "1"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_link_to_settings_is_a_link_to_a_run(open_page):
    page = open_page("book/10-the-vae.html#train=beta:2,prior:1,seed:3")
    slider = page.locator(".vw-train").get_by_label("weight of the KL term")
    slider.wait_for()
    assert slider.input_value() == "2"


def test_the_digits_licence_travels_with_them(built_site):
    script = (built_site / "_static" / "digits-14.js").read_text("utf8")
    assert script.startswith("// Digits of MNIST, CC BY-SA 3.0")
