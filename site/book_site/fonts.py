"""The book's own letters: Source Serif for text, Source Sans beside it, Source Code for code.

They are free under the SIL Open Font Licence, which is copied with them. ``static/book.css`` names
the files, and letters of each reader's machine that are scaled to the same width and height: so
nothing moves when a face arrives. A face is fetched only by a page that has letters of it.
"""

from pathlib import Path

from . import packages

SERIF = packages.Package(
    "@fontsource/source-serif-4",
    "5.3.1",
    "cWcTCXjYYrgF9A67fThVir1VSc0lPEYmwQ6jA4pPt01s2MSCi/maINUcZoCzaqnU8fyUReDO97eGcBUkHgOeug==",
    "BOOK_FONTS",
)
SANS = packages.Package(
    "@fontsource-variable/source-sans-3",
    "5.3.1",
    "u0p5Z/PM2e1uxYOMiodLM6NVzxHwULcB6Oi7QSr2WU/sdoLBFP/BeOZ3YYHeJ6rHsjPZA1nZweZVaV7sf2MAyQ==",
    "BOOK_FONTS",
)
CODE = packages.Package(
    "@fontsource/source-code-pro",
    "5.3.1",
    "qsJEkwJWXYP/9clmtt3BsIlZ+Lr4cuRgNAgu0vyZdCgESMRMhRkAmEFFHHNM81VdeURqg5D5+Rr3bALDFav78A==",
    "BOOK_FONTS",
)
FACES = {
    SERIF: [f"source-serif-4-latin-{face}" for face in ("400-normal", "400-italic", "600-normal")],
    SANS: ["source-sans-3-latin-wght-normal", "source-sans-3-greek-wght-normal"],
    CODE: ["source-code-pro-latin-400-normal"],
}


def faces_of(package: packages.Package, names: list[str]) -> dict[str, bytes]:
    """The files of some faces of a package, and its licence."""
    files = packages.members(package.read())
    licence = {f"faces/{package.file.removesuffix('.tgz')}-LICENSE.txt": files["LICENSE"]}
    return licence | {f"faces/{name}.woff2": files[f"files/{name}.woff2"] for name in names}


def provide_fonts(app):
    """Find the faces, and add them to the site's static files."""
    if app.builder.format != "html":
        return
    versions = "-".join(package.version for package in FACES)
    folder = Path(app.outdir).parent / ".fonts" / versions
    if not folder.exists():
        files = {}
        for package, names in FACES.items():
            files |= faces_of(package, names)
        packages.write_at_once(files, folder)
    app.config.html_static_path.append(str(folder))


def setup(app):
    """Connect to Sphinx."""
    app.connect("builder-inited", provide_fonts)
