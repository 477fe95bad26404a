// Curves over one horizontal axis, with grips to drag along it.

import { fixed, frame, h, svg } from "./controls.js";
import { clamp } from "./maths.js";

// chart({ label, range, height, curves, undo }) where
//   range    [low, high] of the horizontal axis
//   curves   names of the curves; each is drawn in class "vw-curve <name>"
// `draw({ name: values }, nodes)` draws them over the same nodes, to a common scale.
export function chart({ label, range, height = 230, curves, axis, undo }) {
  const lines = Object.fromEntries(curves.map((name) => [name, svg("path", { class: `vw-curve ${name}` })]));
  const ticks = svg("g", { class: "vw-ticks" });
  const picture = svg("svg", { height, role: "img", "aria-label": label }, ticks, ...Object.values(lines));
  const root = h("div", { class: "vw-chart" }, picture);
  const headroom = 50; // pixels above the curves, for the grips
  const foot = 24; // pixels under the axis, for its numbers
  const places = []; // what else must be placed after a resize
  let last = null;

  let width = 1; // read once a resize: reading it makes the browser lay the page out
  const toX = (v) => ((v - range[0]) / (range[1] - range[0])) * width;

  function drawTicks() {
    const room = 3 * parseFloat(getComputedStyle(root).fontSize); // for a number
    const step = niceStep(range[1] - range[0], width / room);
    const parts = [svg("path", { d: `M0 ${height - foot}H${width}` })];
    for (let v = Math.ceil(range[0] / step) * step; v <= range[1] + 1e-9; v += step) {
      const x = clamp(toX(v), 8, width - 8);
      parts.push(svg("text", { x, y: height - 7, "text-anchor": "middle" }, fixed(v, step < 1 ? 1 : 0)));
    }
    parts.push(svg("text", { x: 2, y: height - foot - 5 }, axis));
    ticks.replaceChildren(...parts);
  }

  function draw(values, nodes) {
    last = [values, nodes];
    if (width === 1) return; // not laid out yet: refit will draw
    let top = 0;
    for (const ys of Object.values(values)) for (const y of ys) if (y > top) top = y;
    const base = height - foot;
    const toY = (y) => base - (y / (top || 1)) * (base - headroom);
    for (const [name, ys] of Object.entries(values)) {
      lines[name].setAttribute("d", curvePath(nodes, ys, toX, toY, width));
    }
    places.forEach((place) => place());
  }

  // A grip over the curves; the pointer drags it sideways. Give the same number a slider too:
  // that is how the keyboard reaches it.
  function grip({ className, top, onDrag }) {
    const node = h("div", { class: `vw-grip ${className}`, "aria-hidden": "true", style: `top: ${top}px` });
    let at = 0;
    const place = () => (node.style.left = `${clamp(toX(at), 0, width)}px`);
    node.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      node.setPointerCapture(event.pointerId);
    });
    node.addEventListener("pointermove", (event) => {
      if (!node.hasPointerCapture(event.pointerId)) return;
      const x = event.clientX - root.getBoundingClientRect().left;
      onDrag(clamp(range[0] + (x / width) * (range[1] - range[0]), ...range));
    });
    places.push(place);
    root.append(node);
    return (v) => ((at = v), place());
  }

  const refit = frame(() => {
    width = Math.max(root.clientWidth, 1);
    picture.setAttribute("width", width);
    drawTicks();
    if (last) draw(...last);
  });
  const observer = new ResizeObserver(refit);
  observer.observe(root);
  undo.add(() => (observer.disconnect(), refit.cancel()));
  const relabel = (text) => picture.setAttribute("aria-label", text);
  return { root, draw, grip, relabel };
}

// The SVG path of a curve, drawn with a point each two pixels.
export function curvePath(nodes, ys, toX, toY, width) {
  const points = [];
  const stride = Math.max(1, Math.floor((2 * ys.length) / width));
  for (let i = 0; i < ys.length; i += stride) {
    points.push(`${tenth(toX(nodes[i]))} ${tenth(toY(ys[i]))}`);
  }
  return `M${points.join("L")}`;
}
export const tenth = (v) => Math.round(10 * v) / 10; // of a pixel

// A round step that puts at most `most` (and at most ten) ticks on a span.
export function niceStep(span, most) {
  const power = 10 ** Math.floor(Math.log10(span / 10));
  const steps = [1, 2, 5, 10, 20, 50].map((m) => m * power);
  return steps.find((step) => span / step <= Math.min(most, 10)) ?? span;
}
