"""The book's address on GitHub and on the web, found and not written down.

A build on GitHub reads ``GITHUB_REPOSITORY``; any other asks the clone's git remote.
Launch buttons, page metadata and the sitemap follow from it; where no address is known there are
none of them.
``BOOK_URL`` gives the site's own address, where that is not GitHub Pages' usual one.
"""

import os
import re
import subprocess
from pathlib import Path

from sphinx.errors import ExtensionError

REMOTE = re.compile(r"github\.com[:/]+([\w.-]+/[\w.-]+?)(?:\.git)?/?$")
ADDRESS = re.compile(r"https?://[^\s/?#\"'<>]+(?:/[^\s?#\"'<>]*)?")


def git(root: Path, *arguments: str) -> str:
    """What a git command prints, or nothing where it fails or there is no git."""
    command = ["git", "-C", str(root), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def find_repository(root: Path) -> str:
    """The repository as ``owner/name``, or nothing where none is known."""
    if given := os.environ.get("GITHUB_REPOSITORY"):
        return given
    if not (root / ".git").exists():  # a copy inside someone else's clone has no address
        return ""
    found = REMOTE.search(git(root, "remote", "get-url", "origin"))
    return found[1] if found else ""


def find_branch(root: Path) -> str:
    """The branch that launched notebooks come from."""
    if os.environ.get("GITHUB_REF_TYPE") == "branch":
        named = os.environ.get("GITHUB_HEAD_REF") or os.environ.get("GITHUB_REF_NAME")
    else:
        named = git(root, "rev-parse", "--abbrev-ref", "HEAD")
    return named if named and named != "HEAD" and not named.endswith("/merge") else "main"


def site_address(repository: str) -> str:
    """Where the site is read: ``BOOK_URL``, else the address that GitHub Pages gives it.

    Raises:
        ExtensionError: if ``BOOK_URL`` is not a whole address of the web.
    """
    if given := os.environ.get("BOOK_URL"):
        if not ADDRESS.fullmatch(given):
            raise ExtensionError(
                f"BOOK_URL={given} is not the whole address of a site. Write it with its scheme "
                "and without a query or a fragment, such as https://uni.example/vae"
            )
        return given.rstrip("/") + "/"
    if not repository:
        return ""
    owner, name = repository.split("/", 1)
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def configure(app, config):
    """Enter the addresses into the settings of the theme and of the metadata."""
    root = Path(app.srcdir)
    options = config.html_theme_options
    if repository := find_repository(root):
        options["repository_url"] = f"https://github.com/{repository}"
        options["repository_branch"] = find_branch(root)
        options["use_repository_button"] = True
    else:
        options["launch_buttons"] = {}
    config.html_baseurl = config.ogp_site_url = address = site_address(repository)
    config.ogp_use_first_image = bool(address)  # a preview shows the figure a chapter opens with


def drop_empty_address(app, pagename, templatename, context, doctree):
    """Without an address, leave out the metadata that would have to name it."""
    if not app.config.ogp_site_url:
        tags = context.get("metatags", "")
        context["metatags"] = re.sub(r'<meta property="og:url"[^>]*>\n?', "", tags)


def setup(app):
    """Connect before the theme reads its options; the sitemap needs an address."""
    if site_address(find_repository(Path(app.srcdir))):
        app.setup_extension("sphinx_sitemap")
        app.config.sitemap_url_scheme = "{link}"
        app.config.sitemap_excludes = ["search.html", "genindex.html", "404.html"]
    app.connect("config-inited", configure, priority=100)
    app.connect("html-page-context", drop_empty_address, priority=900)
