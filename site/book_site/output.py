"""The output folder can be published as it is: no page of an earlier build, and no Jekyll."""

from pathlib import Path

SUFFIXES = (".html", ".ipynb", ".md")  # pages, and the sources that they offer


def left_overs(out: Path, pages: set[str]) -> list[Path]:
    """The pages and sources in an output folder that belong to none of ``pages``."""
    own = [path for path in out.glob("[!_.]*") if path.suffix in SUFFIXES or path.is_dir()]
    sources = out / "_sources"
    found = [(out, path) for top in own for path in (top, *top.rglob("*"))]
    found += [(sources, path) for path in sources.rglob("*")]
    return [
        path
        for root, path in found
        if path.suffix in SUFFIXES
        and path.relative_to(root).with_suffix("").as_posix() not in pages
    ]


def setup(app):
    """Connect before the table of contents writes index.html where there is none."""
    special = set()  # the search and the like, written in every build that writes anything

    def note_page(app, pagename, *others):
        special.add(pagename)

    def finish(app, exception):
        if exception is None and app.builder.format == "html":
            stale = left_overs(Path(app.outdir), special | app.env.found_docs) if special else []
            for path in stale:
                path.unlink(missing_ok=True)  # two builds may end at once
            Path(app.outdir, ".nojekyll").touch()  # else GitHub leaves out folders named _…

    app.connect("html-page-context", note_page)
    app.connect("build-finished", finish, priority=100)
