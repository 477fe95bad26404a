// Curves over one horizontal axis, with grips to drag along it.

import { fixed, frame, h, onResize, svg } from "./controls.js";
import { clamp } from "./maths.js";

/** @import { Pair, Undo, Values } from "./types.d.ts" */

const HEADROOM = 50; // pixels above the curves, for the grips
const FOOT = 24; // pixels under the axis, for its numbers

/**
 * range    [low, high] of the horizontal axis
 * curves   names of the curves; each is drawn in class "vw-curve <name>"
 * `draw({ name: values }, nodes)` draws them over the same nodes, to a common scale.
 * @param {{
 *   label: string, range: Pair, height?: number, curves: string[], axis: string, undo: Undo,
 * }} options
 */
export function chart({ label, range, height = 230, curves, axis, undo }) {
  const lines = new Map(curves.map((name) => [name, svg("path", { class: `vw-curve ${name}` })]));
  const ticks = svg("g", { class: "vw-ticks" });
  const picture = svg("svg", { height, role: "img", "aria-label": label }, ticks, ...lines.values());
  const root = h("div", { class: "vw-chart" }, picture);
  /** @type {(() => void)[]} */
  const places = []; // what else must be placed after a resize
  /** @type {[Record<string, Values>, Values] | null} */
  let last = null;

  const fit = fitted(root, picture, undo, () => {
    ticks.replaceChildren(...axisTicks(scale, height, axis, root));
    if (last) draw(...last);
  });
  const scale = {
    range,
    fit,
    toX: (/** @type {number} */ v) => ((v - range[0]) / (range[1] - range[0])) * fit.width,
    toValue: (/** @type {number} */ x) => range[0] + (x / fit.width) * (range[1] - range[0]),
  };

  /** @type {(values: Record<string, Values>, nodes: Values) => void} */
  function draw(values, nodes) {
    last = [values, nodes];
    if (fit.width === 1) return; // not laid out yet: it is drawn then
    const top = Math.max(0, ...Object.values(values).map(largest)) || 1;
    const base = height - FOOT;
    /** @type {(y: number) => number} */
    const toY = (y) => base - (y / top) * (base - HEADROOM);
    for (const [name, ys] of Object.entries(values)) {
      lines.get(name)?.setAttribute("d", curvePath(nodes, ys, scale.toX, toY, fit.width));
    }
    places.forEach((place) => place());
  }

  return {
    root,
    draw,
    grip: (/** @type {Grip} */ options) => gripOn(root, scale, places, options),
    relabel: (/** @type {string} */ text) => picture.setAttribute("aria-label", text),
  };
}

/**
 * @typedef {{
 *   range: Pair, fit: { width: number }, toX: (v: number) => number, toValue: (x: number) => number,
 * }} Scale
 * @typedef {{ className: string, top: number, onDrag: (value: number) => void }} Grip
 */

// The largest of some values, or 0 where none is above it.
/** @type {(values: Values) => number} */
function largest(values) {
  let top = 0;
  for (let i = 0; i < values.length; i++) if (values[i] > top) top = values[i];
  return top;
}

// Keep a picture as wide as its box, and draw it anew when that changes. The width is read once a
// resize, for reading it makes the browser lay the page out; until it is laid out it is 1.
/** @type {(root: Element, picture: Element, undo: Undo, redraw: () => void) => { width: number }} */
export function fitted(root, picture, undo, redraw) {
  const fit = { width: 1 };
  const refit = frame(() => {
    fit.width = Math.max(root.clientWidth, 1);
    picture.setAttribute("width", String(fit.width));
    redraw();
  });
  onResize(root, refit, undo);
  return fit;
}

/** @type {(scale: Scale, height: number, axis: string, root: Element) => Element[]} */
function axisTicks({ range, fit: { width }, toX }, height, axis, root) {
  const room = 3 * parseFloat(getComputedStyle(root).fontSize); // for a number
  const step = niceStep(range[1] - range[0], width / room);
  /** @type {Element[]} */
  const parts = [svg("path", { d: `M0 ${height - FOOT}H${width}` })];
  for (let v = Math.ceil(range[0] / step) * step; v <= range[1] + 1e-9; v += step) {
    const x = clamp(toX(v), 8, width - 8);
    parts.push(svg("text", { x, y: height - 7, "text-anchor": "middle" }, fixed(v, step < 1 ? 1 : 0)));
  }
  parts.push(svg("text", { x: 2, y: height - FOOT - 5 }, axis));
  return parts;
}

// A grip over the curves; the pointer drags it sideways. Give the same number a slider too:
// that is how the keyboard reaches it. Returns how to place it.
/** @type {(root: Element, scale: Scale, places: (() => void)[], grip: Grip) => (v: number) => void} */
function gripOn(root, { range, fit, toX, toValue }, places, { className, top, onDrag }) {
  const node = h("div", { class: `vw-grip ${className}`, "aria-hidden": "true", style: `top: ${top}px` });
  let at = 0;
  const place = () => {
    node.style.left = `${clamp(toX(at), 0, fit.width)}px`;
  };
  node.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    node.setPointerCapture(event.pointerId);
  });
  node.addEventListener("pointermove", (event) => {
    if (!node.hasPointerCapture(event.pointerId)) return;
    const x = event.clientX - root.getBoundingClientRect().left;
    onDrag(clamp(toValue(x), ...range));
  });
  places.push(place);
  root.append(node);
  return (v) => ((at = v), place());
}

// What the curves of a chart are, each beside a piece of its line.
/** @type {(texts: Record<string, string>) => HTMLElement} */
export function curveKey(texts) {
  const entries = Object.entries(texts).map(([name, text]) => {
    const line = svg("path", { class: `vw-curve ${name}`, d: "M0 2H30" });
    return h("span", {}, svg("svg", { "aria-hidden": "true" }, line), text);
  });
  return h("div", { class: "vw-key" }, ...entries);
}

// The SVG path of a curve, drawn with a point each two pixels.
/**
 * @type {(
 *   nodes: Values, ys: Values, toX: (v: number) => number, toY: (v: number) => number, width: number,
 * ) => string}
 */
export function curvePath(nodes, ys, toX, toY, width) {
  const points = [];
  const stride = Math.max(1, Math.floor((2 * ys.length) / width));
  for (let i = 0; i < ys.length; i += stride) {
    points.push(`${tenth(toX(nodes[i]))} ${tenth(toY(ys[i]))}`);
  }
  return `M${points.join("L")}`;
}

/** @type {(v: number) => number} */
export const tenth = (v) => Math.round(10 * v) / 10; // of a pixel

// A round step that puts at most `most` (and at most ten) ticks on a span.
/** @type {(span: number, most: number) => number} */
export function niceStep(span, most) {
  const power = 10 ** Math.floor(Math.log10(span / 10));
  const steps = [1, 2, 5, 10, 20, 50].map((m) => m * power);
  return steps.find((step) => span / step <= Math.min(most, 10)) ?? span;
}
