// A board to draw a digit on, and what MNIST did to its digits.

import { context2d, frame, h, KEYS_ARE_MINE, onResize } from "./controls.js";
import { clamp } from "./maths.js";
import { arrowOf } from "./plane.js";

/**
 * @import { Canvas, Pair, Undo, Values } from "./types.d.ts"
 * @typedef {Pair[]} Stroke
 */

const PEN = 1.4; // radius of the pen, in pixels of the 28x28 image
export const SIDE = 28; // of the image, in pixels
export const PIXELS = SIDE * SIDE;
export const BOARD_KEYS =
  "With a keyboard: focus the board, move the pen with the arrow keys, and press Space to put it down or lift it.";
const CENTRE = 14.5; // where MNIST has a digit's centre of mass, in pixels from the edge

// ---- ink -----------------------------------------------------------------------------------
// Ink of round-capped lines on the 28x28 grid, with edges one pixel soft. Each stroke is a list
// of [x, y] in pixels, which are placed at scale * point + shift first.
/** @type {(strokes: Stroke[], scale?: number, shift?: Pair) => Float32Array} */
function inkOf(strokes, scale = 1, [right, down] = [0, 0]) {
  const ink = new Float32Array(PIXELS);
  for (const stroke of strokes) {
    /** @type {(point: Pair) => Pair} */
    const place = ([x, y]) => [scale * x + right, scale * y + down];
    const points = stroke.map(place);
    points.forEach((to, i) => inkSegment(ink, points[Math.max(i - 1, 0)], to));
  }
  return ink;
}

/** @type {(ink: Float32Array, from: Pair, to: Pair) => void} */
function inkSegment(ink, [ax, ay], [bx, by]) {
  const reach = PEN + 1;
  const [dx, dy] = [bx - ax, by - ay];
  const squared = dx * dx + dy * dy || 1;
  /** @type {(a: number, b: number) => number} */
  const first = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - reach));
  /** @type {(a: number, b: number) => number} */
  const last = (a, b) => Math.min(SIDE - 1, Math.ceil(Math.max(a, b) + reach));
  for (let row = first(ay, by); row <= last(ay, by); row++) {
    for (let column = first(ax, bx); column <= last(ax, bx); column++) {
      const [px, py] = [column + 0.5 - ax, row + 0.5 - ay];
      const t = clamp((px * dx + py * dy) / squared, 0, 1);
      const distance = Math.hypot(px - t * dx, py - t * dy);
      const level = clamp(PEN + 0.5 - distance, 0, 1);
      const at = SIDE * row + column;
      if (level > ink[at]) ink[at] = level;
    }
  }
}

// What MNIST did to its digits: fit them in a 20x20 box, then put the centre of mass in the
// middle of the 28x28 image. A dot is not blown up to fill the box.
/** @type {(strokes: Stroke[]) => Float32Array} */
export function likeMnist(strokes) {
  const points = strokes.flat();
  if (!points.length) return new Float32Array(PIXELS);
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = Math.min((20 - 2 * PEN) / Math.max(right - left, bottom - top, 1e-6), 3);
  /** @type {Pair} */
  const shift = [CENTRE - (scale * (left + right)) / 2, CENTRE - (scale * (top + bottom)) / 2];
  const [x, y] = centreOfMass(inkOf(strokes, scale, shift));
  return inkOf(strokes, scale, [shift[0] + CENTRE - x, shift[1] + CENTRE - y]);
}

/** @type {(ink: Float32Array) => Pair} */
function centreOfMass(ink) {
  let [mass, x, y] = [0, 0, 0];
  ink.forEach((level, i) => {
    mass += level;
    x += level * ((i % SIDE) + 0.5);
    y += level * (Math.floor(i / SIDE) + 0.5);
  });
  return [x / mass, y / mass];
}

// ---- the board -----------------------------------------------------------------------------
/** @typedef {ReturnType<typeof newSheet>} Sheet */

// What is on the board, and the pen over it.
function newSheet() {
  return {
    strokes: /** @type {Stroke[]} */ ([]),
    shown: /** @type {Values | null} */ (null), // an image to show instead of strokes
    pen: /** @type {Pair} */ ([14, 14]),
    down: false, // the keyboard's pen
  };
}

// The white square to draw on. `onDraw(strokes)` hears every change made by the reader.
/**
 * @param {(strokes: Stroke[]) => void} onDraw
 * @param {(text: string) => void} announce
 * @param {Undo} undo
 */
export function drawingBoard(onDraw, announce, undo) {
  const canvas = h("canvas", {
    class: "vw-board",
    role: "application",
    tabindex: "0",
    "aria-roledescription": "drawing board",
    "aria-label": "Drawing board. Arrow keys move the pen, Space puts it down or lifts it.",
    ...KEYS_ARE_MINE,
  });
  const sheet = newSheet();
  const paint = frame(() => paintSheet(canvas, sheet));
  const changed = () => {
    paint();
    onDraw(sheet.strokes);
  };
  const begin = () => {
    if (sheet.shown) [sheet.shown, sheet.strokes] = [null, []];
    sheet.strokes.push([sheet.pen]);
    changed();
  };
  const extend = () => {
    sheet.strokes.at(-1)?.push(sheet.pen);
    changed();
  };
  drawWithPointer(canvas, sheet, begin, extend);
  canvas.addEventListener("keydown", (event) => {
    if (drawWithKey(event, sheet, { begin, extend, announce })) paint();
  });
  canvas.addEventListener("focus", paint);
  canvas.addEventListener("blur", paint);
  onResize(canvas, paint, undo);
  /** @type {(image: Values | null) => void} */
  const show = (image) => {
    Object.assign(sheet, { shown: image, strokes: [], down: false });
    paint();
  };
  return { canvas, show };
}

/** @type {(canvas: HTMLCanvasElement, sheet: Sheet, begin: () => void, extend: () => void) => void} */
function drawWithPointer(canvas, sheet, begin, extend) {
  /** @type {(event: PointerEvent) => Pair} */
  const where = (event) => {
    const box = canvas.getBoundingClientRect();
    const inside = (/** @type {number} */ v) => clamp(SIDE * v, 0, SIDE);
    return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    sheet.down = false;
    sheet.pen = where(event);
    begin();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const move of moves.length ? moves : [event]) {
      sheet.pen = where(move);
      extend();
    }
  });
}

// Do what a key says: true if it was one of the board's.
/**
 * @type {(
 *   event: KeyboardEvent, sheet: Sheet,
 *   on: { begin: () => void, extend: () => void, announce: (text: string) => void },
 * ) => boolean}
 */
function drawWithKey(event, sheet, { begin, extend, announce }) {
  const [dx, dy] = arrowOf(event);
  const space = event.key === " " && !(event.ctrlKey || event.metaKey || event.altKey);
  if (!dx && !dy && !space) return false;
  event.preventDefault();
  event.stopPropagation();
  if (space) {
    sheet.down = !sheet.down;
    if (sheet.down) begin();
    announce(sheet.down ? "Pen down" : "Pen up");
    return true;
  }
  const step = event.shiftKey ? 3 : 1;
  const [x, y] = sheet.pen;
  sheet.pen = [clamp(x + dx * step, 1, SIDE - 1), clamp(y - dy * step, 1, SIDE - 1)];
  if (sheet.down) extend();
  else announce(`Pen at column ${Math.round(sheet.pen[0])}, row ${Math.round(sheet.pen[1])}`);
  return true;
}

// ---- painting ------------------------------------------------------------------------------
/** @type {(canvas: HTMLCanvasElement, sheet: Sheet) => void} */
function paintSheet(canvas, sheet) {
  const size = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
  if (!size) return;
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const context = context2d(canvas);
  const unit = size / SIDE;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, size, size);
  if (sheet.shown) paintPixels(context, sheet.shown, unit);
  context.strokeStyle = "#000";
  context.lineWidth = 2 * PEN * unit;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of sheet.strokes) {
    context.beginPath();
    context.moveTo(stroke[0][0] * unit, stroke[0][1] * unit + 0.01); // so that a dot shows
    stroke.forEach(([x, y]) => context.lineTo(x * unit, y * unit));
    context.stroke();
  }
  if (canvas.matches(":focus-visible")) paintPen(context, unit, sheet);
}

/** @type {(context: Canvas, unit: number, sheet: Sheet) => void} */
function paintPen(context, unit, { pen, down }) {
  context.beginPath();
  context.arc(pen[0] * unit, pen[1] * unit, 1.6 * unit, 0, 2 * Math.PI);
  context.lineWidth = 2 * (window.devicePixelRatio || 1);
  context.strokeStyle = down ? "#b4490a" : "#0b5cad";
  context.stroke();
}

/** @type {(context: Canvas, image: Values, unit: number) => void} */
function paintPixels(context, image, unit) {
  Array.from(image).forEach((level, i) => {
    const grey = Math.round(255 * (1 - level));
    context.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
    const [x, y] = [(i % SIDE) * unit, Math.floor(i / SIDE) * unit];
    if (level) context.fillRect(Math.floor(x), Math.floor(y), Math.ceil(unit), Math.ceil(unit));
  });
}
