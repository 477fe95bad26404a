"""Each page says which edition it is, and where to report a mistake in which section."""

from urllib.parse import parse_qs, urlsplit

import pytest
from book_site import edition
from bs4 import BeautifulSoup
from sphinx.errors import ExtensionError

PAGE = "# 1. One\n\nWords.\n\n## Sums & “means”\n\nMore.\n\n### Of $x$\n\nYet more."


def test_a_page_names_its_version_and_the_given_date_and_how_to_report_a_section(mini_book):
    mini_book.notebook("01-one", PAGE)
    mini_book.build(SOURCE_DATE_EPOCH="86400", GITHUB_REPOSITORY="some-one/a-book")
    soup = BeautifulSoup(mini_book.page("01-one"), "html.parser")
    foot = soup.select_one(".book-edition")
    assert "Version 0.1.0, built on 2 January 1970." in " ".join(foot.get_text().split())
    assert foot.time["datetime"] == "1970-01-02"
    reports = soup.select("article a.report")
    assert [link.parent.name for link in reports] == ["h2", "h3"]
    address = urlsplit(reports[0]["href"])
    assert address.hostname == "github.com"
    assert address.path == "/some-one/a-book/issues/new"
    said = parse_qs(address.query)
    assert said["title"] == ["Mistake in book/01-one, section “Sums & “means””"]
    assert "Seen in version 0.1.0" in said["body"][0]
    assert parse_qs(urlsplit(foot.a["href"]).query)["title"] == ["Mistake in book/01-one"]


def test_without_a_repository_nothing_can_be_reported(mini_book):
    mini_book.notebook("01-one", PAGE)
    mini_book.build(GITHUB_REPOSITORY="")
    soup = BeautifulSoup(mini_book.page("01-one"), "html.parser")
    assert soup.select_one(".book-edition").a is None
    assert soup.select("a.report") == []


def test_the_date_is_now_where_none_is_given_and_nonsense_is_refused(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert edition.build_time().tm_year >= 2026
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ExtensionError, match="yesterday"):
        edition.build_time()
