"""What a frame of each widget costs in Chromium: milliseconds of script per frame.

Run: python benchmarks/widget_frame.py

Networks have the sizes of the book's 2-D models and of a wider one. The time is what the browser
spends in the widget's own frame callbacks (decode, paint, numbers) while its control moves; at 60
frames a second there are 16.7 ms for everything, and the aim is under 2. The ratio to a bare
decode in the same run says what is not arithmetic.
"""

import sys
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "widgets")]

import examples  # noqa: E402
import harness  # noqa: E402

from conftest import CHROMIUM_ARGS, _chromium_path  # noqa: E402
from vae_lib import widgets  # noqa: E402

FRAMES = 200
SIZES = {"2-64-128-784": (64, 128), "2-256-784": (256,)}

# Frame callbacks are timed by wrapping requestAnimationFrame; `move` moves the control.
MEASURE = """async ([frames, selector, keys]) => {
  const ask = window.requestAnimationFrame.bind(window);
  let spent = 0;
  window.requestAnimationFrame = (work) => ask((now) => {
    const start = performance.now();
    work(now);
    spent += performance.now() - start;
  });
  const node = document.querySelector(selector);
  const costs = [];
  for (let i = 0; i < frames; i++) {
    spent = 0;
    const start = performance.now();
    const key = keys[Math.floor(i / 20) % keys.length];
    if (node.type === "range") {
      node[key === "ArrowRight" ? "stepUp" : "stepDown"]();
      node.dispatchEvent(new Event("input", { bubbles: true }));
    } else node.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    const handling = performance.now() - start;
    await new Promise((done) => ask(() => ask(done)));
    costs.push(spent + handling);
  }
  return costs.slice(20);
}"""

DECODE = """([frames, spec, weights]) => {
  const layers = module.readMlp(model.get(spec), model.get(weights));
  const z = Float32Array.of(0.3, -0.2);
  const costs = [];
  for (let i = 0; i < frames; i++) {
    const start = performance.now();
    for (let k = 0; k < 10; k++) module.runMlp(layers, z);
    costs.push((performance.now() - start) / 10);
  }
  return costs.slice(20);
}"""


def figures(hidden: tuple[int, ...]):
    """Each widget, with the control that is moved and the keys that move it."""
    encoder = examples.network(784, *reversed(hidden), 4)
    decoder = examples.network(2, *hidden, 784)
    codes, labels = examples.codes(1000), torch.arange(1000) % 10
    pad = widgets.LatentPad({"AE": decoder, "VAE": decoder}, {"AE": codes, "VAE": codes}, labels)
    draw = widgets.DrawDigit(encoder, decoder, examples.digits(10), codes=codes, labels=labels)
    knobs = widgets.CodeKnobs(encoder, decoder, examples.digits(10), codes)
    back_and_forth = ["ArrowRight", "ArrowLeft"]
    yield "LatentPad", pad, ".vw-handle", back_and_forth
    yield "DrawDigit", draw, ".vw-board", back_and_forth
    yield "CodeKnobs", knobs, "input", back_and_forth
    conditional = examples.network(12, *hidden, 784)
    classes = widgets.ClassLatentPad(conditional, examples.JUDGE, codes, labels)
    yield "ClassLatentPad", classes, ".vw-handle", back_and_forth
    steps = widgets.AncestralSampling(decoder)
    yield "AncestralSampling", steps, ".vw-handle", back_and_forth


def curves():
    """The widgets without a network, in the same form."""
    moved = {
        "evidence_split": "input",
        "bayes_curve": ".vw-handle",
        "two_gaussians": "input",
        "lambda_plane": ".vw-handle",
        "bound_ladder": "input",
        "gradient_spread": "input",
        "rate_distortion": "input",
        "diffusion_steps": "input",
    }
    for name, selector in moved.items():
        widget = examples.ALL[name]()
        yield type(widget).__name__, widget, selector, ["ArrowRight", "ArrowLeft"]


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def frames(browser, name, widget, selector, keys) -> float | None:
    """Print what a frame of one widget costs; DrawDigit also gives that of a bare decode."""
    page, bare = browser.new_page(), None
    harness.show(page, widget, exports="readMlp, runMlp")
    if name == "DrawDigit":  # with the keyboard's pen put down
        page.locator(".vw-board").focus()
        page.keyboard.press("Space")
        bare = median(page.evaluate(DECODE, [FRAMES, "decoder", "decoder_weights"]))
    costs = page.evaluate(MEASURE, [FRAMES, selector, keys])
    slow = sorted(costs)[int(0.95 * len(costs))]
    print(f"  {name:17} median {median(costs):.2f} ms, 95 % under {slow:.2f} ms")
    page.close()
    return bare


def main():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium_path(), args=CHROMIUM_ARGS)
        for size, hidden in SIZES.items():
            print(f"decoder {size}")
            bare = [frames(browser, *figure) for figure in figures(hidden)]
            print(f"  {'bare decode':17} median {max(filter(None, bare)):.2f} ms")
        print("no network")
        for figure in curves():
            frames(browser, *figure)
        browser.close()


if __name__ == "__main__":
    main()
