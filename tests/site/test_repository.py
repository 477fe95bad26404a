"""Launch buttons, metadata and sitemap follow the repository's address, and vanish without one."""

import subprocess

import pytest
from book_site.repository import find_repository, site_address

PICTURE = "from PIL import Image\nImage.new('L', (40, 20))"
ALT = {"mystnb": {"image": {"alt": "A black board"}}}
CHAPTER = ("# 1. One\n\nA first paragraph of plain words.", (PICTURE, ALT))


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("https://github.com/Owner/the-book.git", "Owner/the-book"),
        ("https://github.com/Owner/the-book", "Owner/the-book"),
        ("https://token@github.com/Owner/the.book.git/", "Owner/the.book"),
        ("git@github.com:Owner/the-book.git", "Owner/the-book"),
        ("ssh://git@github.com/Owner/the-book.git", "Owner/the-book"),
        ("https://git.example.org/Owner/the-book.git", ""),
        ("/srv/git/the-book.git", ""),
    ],
)
def test_the_git_remote_names_the_repository(tmp_path, monkeypatch, remote, expected):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert find_repository(tmp_path) == "", "a folder without git has no address"
    for arguments in (("init", "-q"), ("remote", "add", "origin", remote)):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True)
    assert find_repository(tmp_path) == expected
    monkeypatch.setenv("GITHUB_REPOSITORY", "Else/where")
    assert find_repository(tmp_path) == "Else/where"


def test_the_site_stands_where_github_pages_puts_it(monkeypatch):
    monkeypatch.delenv("BOOK_URL", raising=False)
    assert site_address("") == ""
    assert site_address("Owner/the-book") == "https://owner.github.io/the-book/"
    assert site_address("Owner/owner.github.io") == "https://owner.github.io/"
    monkeypatch.setenv("BOOK_URL", "https://book.example.org")
    assert site_address("Owner/the-book") == "https://book.example.org/"


def test_with_a_repository_pages_can_be_launched(mini_book):
    mini_book.notebook("01-one", *CHAPTER)
    mini_book.build(
        GITHUB_REPOSITORY="Owner/the-book", GITHUB_REF_TYPE="branch", GITHUB_REF_NAME="trunk"
    )
    page = mini_book.page("01-one")
    binder = "https://mybinder.org/v2/gh/Owner/the-book/trunk?urlpath=lab/tree/book/01-one.ipynb"
    colab = "https://colab.research.google.com/github/Owner/the-book/blob/trunk/book/01-one.ipynb"
    assert f'href="{binder}"' in page
    assert f'href="{colab}"' in page
    address = "https://owner.github.io/the-book/book/01-one.html"
    assert f'<meta property="og:url" content="{address}" />' in page
    assert f'<link rel="canonical" href="{address}" />' in page
    picture = '<meta property="og:image" content="https://owner.github.io/the-book/_images/'
    assert picture in page
    assert '<meta property="og:image:alt" content="A black board" />' in page
    assert address in (mini_book.html / "sitemap.xml").read_text("utf8")
    assert '<base href="/the-book/">' in (mini_book.html / "404.html").read_text("utf8")


def test_without_a_repository_nothing_points_to_one(mini_book):
    mini_book.notebook("01-one", *CHAPTER)
    mini_book.build()
    page = mini_book.page("01-one")
    assert "mybinder.org" not in page
    assert "colab.research" not in page
    assert "github.com" not in page
    assert "og:url" not in page and "og:image" not in page
    assert not (mini_book.html / "sitemap.xml").exists()
    assert '<meta property="og:title" content="1. One" />' in page
    assert page.count("A first paragraph of plain words.") >= 3  # text, description, preview
