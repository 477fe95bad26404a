"""The whole book as one PDF, printed by Chromium from the built site: ``make pdf``.

Each page is printed as a reader would print it, with its solutions unfolded and a still in place of
each touchable figure. Then pypdf joins them: one outline, page numbers, and links between pages
that stay within the file.
"""

import argparse
import html
import io
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit
from urllib.request import url2pathname

import yaml
from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, FloatObject, NameObject, NullObject

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
PAPER = {"format": "A4", "margin": dict.fromkeys(("top", "bottom", "left", "right"), "20mm")}
READY = """async () => {
  for (const fold of document.querySelectorAll(".solution details")) fold.open = true;
  const images = [...document.images];
  for (const image of images) image.loading = "eager";
  await Promise.all([document.fonts.ready, ...images.map(image => image.decode())]);
}"""
LIVE = """address => {
  for (const figure of document.querySelectorAll(".book-widgets")) {
    const line = document.createElement("p");
    line.textContent = `This figure can be touched at ${address}`;
    figure.after(line);
  }
}"""


def pages_of(toc: dict) -> list[str]:
    """The pages of a table of contents, in its order."""
    entries = [entry for part in toc["parts"] for entry in part["chapters"]]
    below = [[entry, *entry.get("sections", ())] for entry in entries]
    return [toc["root"], *(entry["file"] for each in below for entry in each)]


def open_page(browser: Browser, file: Path) -> Page:
    """A page in the state in which it is printed."""
    page = browser.new_page()
    page.goto(file.as_uri(), wait_until="load")
    page.evaluate(READY)
    for link in page.locator("link[rel=canonical]").all():  # none where the address is not known
        page.evaluate(LIVE, link.get_attribute("href"))
    page.wait_for_timeout(300)  # a figure paints with the next frames
    return page


def within(document: PdfReader, start: int, writer: PdfWriter, name: str) -> ArrayObject:
    """A place of one document as a place of the whole."""
    found = document.named_destinations[name]
    page = writer.pages[start + document.get_destination_page_number(found)]
    return place(page, found.top)


def place(page, top=None) -> ArrayObject:
    """A place that a link can lead to: a page, and how far up on it."""
    height = NullObject() if top is None else FloatObject(top)
    return ArrayObject(
        [page.indirect_reference, NameObject("/XYZ"), NullObject(), height, NullObject()]
    )


def target(uri: str) -> Path | None:
    """The file of the site that a link leads to, or nothing where it leads elsewhere."""
    parts = urlsplit(urldefrag(uri)[0])
    return Path(url2pathname(unquote(parts.path))) if parts.scheme == "file" else None


def keep_links_inside(writer: PdfWriter, documents: dict[Path, PdfReader], starts: dict[Path, int]):
    """Let links lead to pages of this file; a link to a file that is not in it goes."""
    for file, document in documents.items():
        for page in writer.pages[starts[file] : starts[file] + len(document.pages)]:
            for link in [entry.get_object() for entry in page.get("/Annots", [])]:
                uri = link.get("/A", {}).get("/URI")
                if "/Dest" in link:
                    where = within(document, starts[file], writer, str(link["/Dest"]))
                elif uri and (goal := target(uri)):
                    where = place(writer.pages[starts[goal]]) if goal in starts else None
                else:
                    continue
                link.pop("/A", None)
                link.pop("/Dest", None)
                if where:
                    link[NameObject("/A")] = DictionaryObject(
                        {NameObject("/S"): NameObject("/GoTo"), NameObject("/D"): where}
                    )


def number(writer: PdfWriter, browser: Browser):
    """Print its number at the foot of each page."""
    style = (
        "<style>@page{margin:0}body{margin:0}div{height:290mm;position:relative;break-after:page}"
    )
    style += (
        "p{position:absolute;margin:0;bottom:3mm;width:100%;text-align:center;font:9pt sans-serif}"
    )
    style += "</style>"
    feet = "".join(f"<div><p>{k}</p></div>" for k in range(1, len(writer.pages) + 1))
    page = browser.new_page()
    page.set_content(style + feet)
    numbers = PdfReader(io.BytesIO(page.pdf(format="A4")))
    page.close()
    for sheet, foot in zip(writer.pages, numbers.pages, strict=False):
        sheet.merge_page(foot)
        sheet.compress_content_streams()


def make(site: Path, pages: list[str], path: Path, browser: Browser):
    """Write the PDF, whole or not at all."""
    writer, documents, starts = PdfWriter(), {}, {}
    for name in pages:
        file = site / f"{name}.html"
        page = open_page(browser, file)
        title = page.locator("h1").first.inner_text().rstrip("#").strip()
        documents[file] = PdfReader(io.BytesIO(page.pdf(**PAPER)))
        page.close()
        starts[file] = len(writer.pages)
        writer.append(documents[file], outline_item=html.unescape(title), import_outline=False)
    keep_links_inside(writer, documents, starts)
    number(writer, browser)
    writer.compress_identical_objects(remove_duplicates=True, remove_unreferenced=True)
    writer.add_metadata({"/Title": "From Autoencoders to VAEs"})
    unfinished = path.with_suffix(".part")
    writer.write(unfinished)
    unfinished.replace(path)


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", type=Path, help="the folder of the built site")
    parser.add_argument("pdf", type=Path, help="the file to write")
    chosen = parser.parse_args()
    chromium = os.environ.get("BOOK_CHROMIUM") or next(
        filter(None, map(shutil.which, BROWSERS)), ""
    )
    if not chromium:
        sys.exit("no Chromium found: install it (apt install chromium) or set BOOK_CHROMIUM")
    pages = pages_of(yaml.safe_load((ROOT / "_toc.yml").read_text("utf8")))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        make(chosen.site.resolve(), pages, chosen.pdf, browser)
    print(f"The book is in {chosen.pdf}")


if __name__ == "__main__":
    main()
