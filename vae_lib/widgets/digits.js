// Digits: a tile that shows one, and rows of them to choose from.

import { button, context2d, h, press } from "./controls.js";

/** @import { Attributes, Tile } from "./types.d.ts" */

// A square tile of side x side pixels. Zero is white paper and one is black ink, in light and in
// dark mode alike, as in the book's figures: a digit that turned with the page would be another
// digit. What it paints are grey values in [0, 1], or logits with map = sigmoid.
/** @type {(side: number, attributes?: Attributes) => Tile} */
export function digitTile(side, attributes = {}) {
  const canvas = h("canvas", { width: side, height: side, class: "vw-digit", role: "img", ...attributes });
  const context = context2d(canvas);
  const image = context.createImageData(side, side);
  image.data.fill(255);
  /** @type {Tile["paint"]} */
  const paint = (values, map = (v) => v) => {
    for (let i = 0, at = 0; at < image.data.length; i++, at += 4) {
      const grey = Math.round(255 * (1 - map(values[i])));
      image.data[at] = image.data[at + 1] = image.data[at + 2] = grey;
    }
    context.putImageData(image, 0, 0);
  };
  return { canvas, paint, describe: (text) => canvas.setAttribute("aria-label", text) };
}

// Grey values of image number i in a trait of N images of so many pixels, a byte each.
/** @type {(bytes: Uint8Array, i: number, pixels: number) => Float32Array} */
export function digitAt(bytes, i, pixels) {
  return Float32Array.from(bytes.subarray(pixels * i, pixels * (i + 1)), (v) => v / 255);
}

/**
 * A row of digits to choose from, out of such a trait.
 * @param {Uint8Array} bytes
 * @param {number} pixels
 * @param {string} label
 * @param {(chosen: number) => void} onChoose
 */
export function digitRow(bytes, pixels, label, onChoose) {
  const buttons = Array.from({ length: bytes.length / pixels }, (_, i) => {
    const tile = digitTile(Math.sqrt(pixels), { role: null, "aria-hidden": "true" });
    tile.paint(digitAt(bytes, i, pixels));
    const attributes = { class: "vw-pick", "aria-pressed": "false", "aria-label": `digit ${i + 1}` };
    return button(tile.canvas, () => onChoose(i), attributes);
  });
  const root = h("div", { class: "vw-row", role: "group", "aria-label": label }, ...buttons);
  return { root, choose: (/** @type {number} */ chosen) => press(buttons, chosen) };
}
