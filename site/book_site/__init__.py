"""The book's Sphinx extension: everything that the site needs beyond settings.

``_config.yml`` loads it, so ``jupyter-book build .`` alone does all that follows:

* ``execution``   keys the cache of executed notebooks, so that no stale output is ever shown
* ``references``  numbers equations, links to them, and finds what other links name
* ``notes``       draws notes and promises as boxes, and counts the promises
* ``fonts``       ships the faces that the pages are set in
* ``landing``     draws the landing page's table of chapters as a map
* ``moved``       leaves a page at the old address of one that was renamed
* ``edition``     says on each page which edition it is, and where to report a mistake
* ``mathematics`` renders formulas at build time with KaTeX: pages need no math script
* ``symbols``     marks the symbols that the notation page explains
* ``repository``  finds the book's address for launch buttons, metadata and the sitemap
* ``reference``   lists the library's functions from their docstrings, and links to them
* ``search``      takes British and American spellings for the same word
* ``output``      leaves nothing in the output folder that is not to be published
* ``digits``      the digits that one figure learns from, in a script of their own
* ``held``        what is long in the widgets' state, in scripts that pages share
* ``stills``      a picture and words in each touchable figure's place until its script has drawn
* ``theme``       the theme's style sheet and script without what the book does not use
* ``pages``       the 404 page, the widgets' check, small repairs to the theme's pages
"""

from . import (
    digits,
    edition,
    execution,
    fonts,
    held,
    landing,
    mathematics,
    moved,
    notes,
    output,
    pages,
    reference,
    references,
    repository,
    search,
    stills,
    symbols,
    theme,
)

__version__ = "1"


def setup(app):
    """Register every part with Sphinx."""
    parts = (execution, references, notes, mathematics, fonts, repository, search, output, stills)
    parts += (landing, edition, pages, reference, digits, moved, held, symbols, theme)
    for part in parts:
        part.setup(app)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}
