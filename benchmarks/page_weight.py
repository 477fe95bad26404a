"""How heavy a page of the built book is, and how soon it can be read and touched.

    python benchmarks/page_weight.py book/10-the-vae

Serves ``_build/html`` locally with gzip, as a static host does, and opens the page in Chromium a
few times with an empty cache. Prints medians: bytes unpacked and as sent, first and largest paint,
and when every widget is drawn ("interactive"; without widgets: when all scripts have run).
"""

import argparse
import statistics
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "site"), str(ROOT / "tests")]
from book_server import serve  # noqa: E402

from conftest import CHROMIUM_ARGS, _chromium_path  # noqa: E402

MEASURE = """async () => {
  const largest = await new Promise(resolve => {
    new PerformanceObserver(list => resolve(list.getEntries().at(-1).startTime))
      .observe({ type: "largest-contentful-paint", buffered: true });
    setTimeout(() => resolve(NaN), 3000);
  });
  const [page] = performance.getEntriesByType("navigation");
  const loaded = [page, ...performance.getEntriesByType("resource")];
  const total = name => loaded.reduce((sum, entry) => sum + entry[name], 0);
  const drawn = performance.getEntriesByName("widgets drawn")[0]?.startTime;
  return {
    "requests": loaded.length,
    "unpacked, MB": total("decodedBodySize") / 1e6,
    "as sent (gzip), MB": total("encodedBodySize") / 1e6,
    "of it the page itself, MB": page.decodedBodySize / 1e6,
    "first paint, s": performance.getEntriesByName("first-contentful-paint")[0].startTime / 1e3,
    "largest paint, s": largest / 1e3,
    "interactive, s": (drawn ?? page.domContentLoadedEventEnd) / 1e3,
  };
}"""


def measure(browser, address: str) -> dict[str, float]:
    """One visit with an empty cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address, wait_until="networkidle")
    found = page.evaluate(MEASURE)
    context.close()
    return found


def main():
    """Print the medians for each page that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="+", help='e.g. "book/10-the-vae"')
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--site", type=Path, default=ROOT / "_build" / "html")
    options = parser.parse_args()
    with serve(options.site) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium_path(), args=CHROMIUM_ARGS)
        for name in options.pages:
            visits = [measure(browser, f"{url}/{name}.html") for _ in range(options.visits)]
            print(f"{name} (median of {options.visits} visits)")
            for what in visits[0]:
                print(f"  {what:28} {statistics.median(visit[what] for visit in visits):8.2f}")
        browser.close()


if __name__ == "__main__":
    main()
