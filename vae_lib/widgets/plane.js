// A square piece of a plane, with a background to paint, marks, and a handle to drag.
// Used for latent spaces; as good for any two parameters.

import {
  classColours, context2d, fixed, frame, h, KEYS_ARE_MINE, onResize, onTheme, setAttributes, svg,
  tuple,
} from "./controls.js";
import { clamp } from "./maths.js";

/** @import { Attributes, Box, Canvas, Paint, Pair, ToPixels, Undo, Values } from "./types.d.ts" */

/** @type {Record<string, Pair>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

// [across, up] of an arrow key that nothing else is pressed with; [0, 0] for any other key.
/** @type {(event: KeyboardEvent) => Pair} */
export function arrowOf(event) {
  const other = event.ctrlKey || event.metaKey || event.altKey;
  return (!other && ARROWS[event.key]) || [0, 0];
}

/**
 * extent    [xMin, xMax, yMin, yMax]
 * names     what the two axes are called, e.g. ["z₁", "z₂"]
 * paint     paints the background: points, a heat map
 * onMove    hears the value [x, y] of the handle, if there is to be one
 * describe  the handle's text for screen readers
 * @param {{
 *   label: string, names: [string, string], extent: Box, paint?: Paint,
 *   onMove?: (value: Pair) => void, describe?: (value: Pair) => string, undo: Undo,
 * }} options
 */
export function plane({ label, names, extent, paint, onMove, describe = (v) => tuple(v), undo }) {
  const scale = scaleOf(extent);
  const axes = axesOf(names, scale);
  const canvas = h("canvas", { "aria-hidden": "true" });
  const frameOfUnits = { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" };
  const marks = svg("svg", frameOfUnits, axes.path);
  const root = h("div", { class: "vw-plane" }, canvas, marks, ...axes.ends);
  const handle = onMove && handleOn(root, { label, scale, describe, onMove });
  if (!handle) setAttributes(root, { role: "img", "aria-label": label });

  const repaint = frame(() => {
    const size = Math.round(root.clientWidth * (window.devicePixelRatio || 1));
    if (!size) return;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const context = context2d(canvas);
    context.clearRect(0, 0, size, size);
    paint?.(context, (point) => scaled(scale.toUnit(point), size), size);
  });

  /** @type {(next: Box) => void} */
  function setExtent(next) {
    if (String(next) !== String(scale.box)) repaint();
    scale.box = next;
    axes.draw();
    handle?.moveTo(handle.value());
  }

  onResize(root, repaint, undo);
  onTheme(repaint.now, undo);
  setExtent(extent);
  return {
    root,
    repaint,
    setExtent,
    // Put the handle somewhere, without telling.
    moveTo: (/** @type {Pair} */ value) => handle?.moveTo(value),
    ellipse: (/** @type {Attributes} */ attributes) => ellipseOn(marks, attributes, scale),
    sign: (/** @type {string} */ className) => signOn(root, className, scale),
    relabel: (/** @type {string} */ text) => (handle?.node ?? root).setAttribute("aria-label", text),
  };
}

/** @type {([u, v]: Pair, size: number) => Pair} */
const scaled = ([u, v], size) => [u * size, v * size];

/** @typedef {ReturnType<typeof scaleOf>} Scale */

// From points of the plane to the unit square, whose origin is at the top left, and back.
/** @param {Box} extent */
function scaleOf(extent) {
  return {
    box: extent,
    /** @type {(point: Values) => Pair} */
    toUnit(point) {
      const [left, right, bottom, top] = this.box;
      return [(point[0] - left) / (right - left), (top - point[1]) / (top - bottom)];
    },
    /** @type {(unit: Pair) => Pair} */
    fromUnit([u, v]) {
      const [left, right, bottom, top] = this.box;
      return this.inside([left + u * (right - left), top - v * (top - bottom)]);
    },
    /** @type {(point: Values) => Pair} */
    inside(point) {
      const [left, right, bottom, top] = this.box;
      return [clamp(point[0], left, right), clamp(point[1], bottom, top)];
    },
  };
}

/** @type {(names: [string, string], scale: Scale) => { path: Element, ends: Element[], draw(): void }} */
function axesOf(names, scale) {
  const right = h("span", { class: "vw-end right" });
  const top = h("span", { class: "vw-end top" });
  const path = svg("path", { class: "vw-axes" });
  const draw = () => {
    const box = scale.box;
    const [u, v] = scale.toUnit([0, 0]);
    path.setAttribute("d", `M0 ${v}H1M${u} 0V1`);
    const digits = box[1] - box[0] < 2 ? 2 : box[1] % 1 || box[3] % 1 ? 1 : 0;
    right.textContent = `${names[0]} = ${fixed(box[1], digits)}`;
    right.style.top = `${100 * clamp(v, 0.02, 0.92)}%`;
    top.textContent = `${names[1]} = ${fixed(box[3], digits)}`;
    top.style.left = `${100 * clamp(u, 0, 0.72)}%`;
  };
  return { path, ends: [right, top], draw };
}

// ---- the handle ----------------------------------------------------------------------------
/**
 * @param {HTMLElement} root
 * @param {{
 *   label: string, scale: Scale, describe: (value: Pair) => string, onMove: (value: Pair) => void,
 * }} options
 */
function handleOn(root, { label, scale, describe, onMove }) {
  /** @type {Pair} */
  let value = [0, 0];
  const node = h("div", {
    class: "vw-handle",
    role: "slider",
    tabindex: "0",
    "aria-label": label,
    "aria-roledescription": "two-way slider",
    ...KEYS_ARE_MINE,
  });
  root.append(node);
  root.classList.add("vw-draggable");

  /** @type {(next: Values) => void} */
  function moveTo(next) {
    value = scale.inside(next);
    const [u, v] = scale.toUnit(value);
    node.style.left = `${100 * u}%`;
    node.style.top = `${100 * v}%`;
    const [low, high] = scale.box;
    const bounds = { "aria-valuemin": low, "aria-valuemax": high, "aria-valuenow": value[0] };
    setAttributes(node, { ...bounds, "aria-valuetext": describe(value) });
  }

  /** @type {(next: Pair) => void} */
  function move(next) {
    moveTo(next);
    onMove(value);
  }

  dragWithPointer(root, node, (unit) => move(scale.fromUnit(unit)));
  node.addEventListener("keydown", (event) => {
    const next = movedByKey(event, value, scale.box);
    if (next) move(next);
  });
  return { node, moveTo, value: () => value };
}

// A finger takes the handle, or taps where it shall go. A swipe that begins elsewhere scrolls
// the page: then the browser cancels the pointer, and no tap comes of it.
/** @type {(root: HTMLElement, handle: HTMLElement, onDrag: (unit: Pair) => void) => void} */
function dragWithPointer(root, handle, onDrag) {
  /** @type {PointerEvent | null} */
  let tap = null; // where a finger came down beside the handle
  /** @type {(event: PointerEvent) => void} */
  const dragged = (event) => {
    const box = root.getBoundingClientRect();
    onDrag([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
  };
  root.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (event.pointerType === "touch" && !handle.contains(/** @type {Node} */ (event.target))) {
      tap = event;
      return;
    }
    event.preventDefault();
    root.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    dragged(event);
  });
  root.addEventListener("pointermove", (event) => {
    if (root.hasPointerCapture(event.pointerId)) dragged(event);
  });
  root.addEventListener("pointerup", (event) => {
    if (tap?.pointerId !== event.pointerId) return;
    if (Math.hypot(event.clientX - tap.clientX, event.clientY - tap.clientY) < 10) dragged(event);
    tap = null;
  });
  root.addEventListener("pointercancel", () => (tap = null));
}

// Where a key takes the handle: an arrow a step on, Home to the origin, any other nowhere.
/** @type {(event: KeyboardEvent, value: Pair, box: Box) => Pair | null} */
function movedByKey(event, value, box) {
  const [dx, dy] = arrowOf(event);
  const centre = event.key === "Home" && !(event.ctrlKey || event.metaKey || event.altKey);
  if (!dx && !dy && !centre) return null;
  event.preventDefault();
  event.stopPropagation(); // arrow keys turn pages on some sites
  const share = event.shiftKey ? 0.1 : 0.02;
  const [step, stepUp] = [share * (box[1] - box[0]), share * (box[3] - box[2])];
  return centre ? [0, 0] : [value[0] + dx * step, value[1] + dy * stepUp];
}

// ---- marks ---------------------------------------------------------------------------------
// An SVG ellipse in the plane's own coordinates; returns how to place it, by centre and radii.
/** @type {(marks: Element, attributes: Attributes, scale: Scale) => (centre: Values, radii: Values) => void} */
function ellipseOn(marks, attributes, scale) {
  const node = svg("ellipse", attributes);
  marks.append(node);
  return (centre, radii) => {
    const [cx, cy] = scale.toUnit(centre);
    const [left, right, bottom, top] = scale.box;
    setAttributes(node, { cx, cy, rx: radii[0] / (right - left), ry: radii[1] / (top - bottom) });
  };
}

// A small sign that keeps its size, for points that are not dragged; returns how to place it.
/** @type {(root: Element, className: string, scale: Scale) => (point: Values) => void} */
function signOn(root, className, scale) {
  const node = h("span", { class: `vw-sign ${className}`, "aria-hidden": "true" });
  root.append(node);
  return (point) => {
    const [u, v] = scale.toUnit(point);
    node.style.left = `${100 * clamp(u, 0, 1)}%`;
    node.style.top = `${100 * clamp(v, 0, 1)}%`;
  };
}

// ---- painting ------------------------------------------------------------------------------
// Codes [N, 2] as faint points in their class's colour; the chosen class is written in digits.
/**
 * @type {(
 *   context: Canvas, toPixels: ToPixels, size: number, codes: Values, labels: Values, chosen?: number,
 * ) => void}
 */
export function paintCodes(context, toPixels, size, codes, labels, chosen = -1) {
  const radius = Math.max(size / 170, 1.8);
  const hues = classColours(context.canvas);
  const order = chosen < 0 ? [false] : [false, true];
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `600 ${Math.max(size / 26, 9)}px system-ui, sans-serif`;
  for (const front of order) {
    for (let i = 0; i < codes.length / 2; i++) {
      const label = labels[i] ?? 9;
      if ((chosen >= 0 && label === chosen) !== front) continue;
      const [x, y] = toPixels([codes[2 * i], codes[2 * i + 1]]);
      context.fillStyle = hues[label];
      context.globalAlpha = front ? 1 : chosen < 0 ? 0.55 : 0.15;
      if (front) context.fillText(String(label), x, y);
      else dot(context, x, y, radius);
    }
  }
  context.globalAlpha = 1;
}

/** @type {(context: Canvas, x: number, y: number, radius: number) => void} */
export function dot(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

// Fill a small canvas with one colour at the given opacities (0 to 1), row by row from the top.
/** @type {(canvas: HTMLCanvasElement, style: string, opacities: Values) => void} */
export function paintOpacities(canvas, style, opacities) {
  const context = context2d(canvas);
  context.fillStyle = style; // read back as #rrggbb
  const hex = String(context.fillStyle);
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0, at = 0; i < opacities.length; i++) {
    image.data[at++] = red;
    image.data[at++] = green;
    image.data[at++] = blue;
    image.data[at++] = 255 * opacities[i];
  }
  context.putImageData(image, 0, 0);
}
