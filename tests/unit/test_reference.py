"""The library's reference is whole: every public thing has its text and its page, examples run."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from book_site import reference

import vae_lib.widgets

BOOK = Path(__file__).parents[2] / "book"
PAGES = sorted((BOOK / "reference").glob("*.md"))
FOUND = pkgutil.walk_packages(vae_lib.__path__, "vae_lib.")
MODULES = [found.name for found in FOUND if not re.search(r"\._", found.name)]
PUBLIC = [
    pytest.param(thing, id=f"{name}.{key}")
    for name in MODULES
    for key, thing in vars(importlib.import_module(name)).items()
    if key[0] != "_" and (inspect.isclass(thing) or inspect.isfunction(thing))
    if thing.__module__ == name
]


def listed(page: Path) -> list[str]:
    """The modules that the site lists on a page."""
    sentence = reference.LISTS.search(page.read_text("utf8"))[0]
    named = reference.MODULE.findall(sentence)
    return [name for package in named for name in reference.modules_below(package)]


@pytest.mark.parametrize("thing", PUBLIC)
def test_what_is_public_has_a_text_and_says_where_it_comes_from(thing):
    """A chapter or a work is named here or in the module's text, or chapters use it."""
    text = inspect.getdoc(thing) or ""
    assert len(text.split()) >= 4
    name = f"{thing.__module__}.{thing.__name__}"
    module = importlib.import_module(thing.__module__).__doc__
    used = re.sub(r"(widgets)\.\w+\.", r"\1.", name) in reference.users(BOOK)
    assert used or re.search(r"[Cc]hapter|Exercise|\(\d{4}\)|, \d{4}\)", text + module)


def test_every_module_has_its_page():
    pages = [name for page in PAGES for name in listed(page)]
    inside = {name for name in MODULES if name.startswith("vae_lib.widgets.")}  # by the package
    assert sorted(pages) == sorted(set(MODULES) - inside)


def test_every_figure_is_on_the_page_that_the_package_stands_for():
    """The page lists what ``__all__`` names; no public name of a figure's module is left out."""
    inside = [p.values[0] for p in PUBLIC if p.values[0].__module__.startswith("vae_lib.widgets.")]
    assert {thing.__name__ for thing in inside} == set(vae_lib.widgets.__all__)


def examples(name: str) -> list[doctest.DocTest]:
    """The examples in a module's texts."""
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name), name)
    return [test for test in found if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    said = []
    runner = doctest.DocTestRunner()
    for test in examples(name):
        runner.run(test, out=said.append)
    assert said == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_has_an_example(page):
    names = listed(page)
    if "vae_lib.widgets" in names:
        names = [name for name in MODULES if name.startswith("vae_lib.widgets")]
    assert sum(len(examples(name)) for name in names) > 0


def test_an_example_that_says_something_else_is_found():
    def wrong():
        """Two.

        >>> 1 + 1
        3
        """

    said = []
    for test in doctest.DocTestFinder().find(wrong, "wrong", globs={}):
        doctest.DocTestRunner().run(test, out=said.append)
    assert "Expected:\n    3\nGot:\n    2" in "".join(said)


def test_users_are_read_from_the_code():
    users = reference.users(BOOK)
    assert "10-the-vae" in users["vae_lib.bounds.elbo_terms"]
    assert "13-steering" in users["vae_lib.widgets.ClassLatentPad"]
    assert "01-autoencoders" not in users["vae_lib.bounds.elbo_terms"]
