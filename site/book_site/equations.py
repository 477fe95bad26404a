"""Equations are numbered within their chapter: the third of ``08-the-elbo`` is (8.3)."""

import re

from sphinx.domains.math import MathDomain


def chapter_of(docname: str) -> str | None:
    """The chapter number in a file name: ``book/08-the-elbo`` gives "8", ``book/intro`` None."""
    found = re.search(r"(?:^|/)(\d+)-[^/]*$", docname)
    return str(int(found[1])) if found else None


class ChapterEquations(MathDomain):
    """Sphinx's math domain with the chapter's number before the equation's."""

    def note_equation(self, docname, labelid, location=None):
        """Number an equation as Sphinx does, then put the chapter in front."""
        super().note_equation(docname, labelid, location)
        if chapter := chapter_of(docname):
            place, number = self.equations[labelid]
            self.equations[labelid] = (place, f"{chapter}.{number}")


def setup(app):
    """Replace Sphinx's math domain."""
    app.add_domain(ChapterEquations, override=True)
