"""At the foot of every page: which edition it is, and where to report a mistake.

The version is the library's, in ``pyproject.toml``, with the commit where git knows one. The date
is the build's, or ``SOURCE_DATE_EPOCH`` where that is set, so that a build can be repeated to the
letter. Where the repository is known, each section can be reported by itself.
"""

import html
import os
import re
import time
import tomllib
from pathlib import Path
from urllib.parse import urlencode

from docutils import nodes
from sphinx.errors import ExtensionError

from .repository import git

HEADING = re.compile(r'<a class="headerlink" href="#([^"]+)"[^>]*>[^<]*</a></h[23]>')


def build_time() -> time.struct_time:
    """The moment of the build in UTC, or the one that ``SOURCE_DATE_EPOCH`` gives in seconds.

    Raises:
        ExtensionError: if that is no number of seconds.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH") or str(int(time.time()))
    if not given.isdecimal():
        raise ExtensionError(f"SOURCE_DATE_EPOCH={given} is not a number of seconds since 1970.")
    return time.gmtime(int(given))


def edition(root: Path) -> dict[str, str]:
    """The version of the book, its commit if known, and the date of the build."""
    project = root / "pyproject.toml"
    version = tomllib.loads(project.read_text("utf8"))["project"]["version"]
    commit = git(root, "rev-parse", "--short", "HEAD") if (root / ".git").exists() else ""
    now = build_time()
    return {
        "book_version": f"{version} ({commit})" if commit else version,
        "book_date": f"{now.tm_mday} {time.strftime('%B %Y', now)}",
        "book_day": time.strftime("%Y-%m-%d", now),
    }


def report_address(repository: str, page: str, section: str, version: str) -> str:
    """Where a new issue begins that says which section of which edition it is about."""
    about = f"{page}, section “{section}”" if section else page
    said = {
        "title": f"Mistake in {about}",
        "body": f"What is wrong, and what it should say:\n\n\n\nSeen in version {version}.",
    }
    return f"{repository}/issues/new?{urlencode(said)}"


def titles(doctree) -> dict[str, str]:
    """The title of each section by each of its ids."""
    return {
        name: section[0].astext()
        for section in doctree.findall(nodes.section)
        for name in section["ids"]
    }


def add_reports(body: str, doctree, address) -> str:
    """Put a link for reports behind each heading; ``address`` gives it for a section's title."""
    known = titles(doctree)

    def with_report(match: re.Match) -> str:
        if match[1] not in known:
            return match[0]
        url = html.escape(address(known[match[1]]), quote=True)
        words = "Report a mistake in this section"
        link = f'<a class="report" href="{url}" title="{words}" aria-label="{words}"></a>'
        return f"{match[0][:-5]}{link}{match[0][-5:]}"

    return HEADING.sub(with_report, body)


def describe_edition(app, pagename, templatename, context, doctree):
    """Give the template edition.html what it shows."""
    known = app.book_edition
    context.update(known)
    repository = app.config.html_theme_options.get("repository_url")
    if not (repository and doctree):
        return

    def address(section: str) -> str:
        return report_address(repository, pagename, section, known["book_version"])

    context["report_url"] = address("")
    context["body"] = add_reports(context.get("body", ""), doctree, address)


def find_edition(app):
    """Work it out once for a build."""
    app.book_edition = edition(Path(app.srcdir))


def setup(app):
    """Connect to Sphinx."""
    app.connect("builder-inited", find_edition)
    app.connect("html-page-context", describe_edition, priority=600)
