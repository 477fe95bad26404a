// A square piece of a plane, with a background to paint, marks, and a handle to drag.
// Used for latent spaces; as good for any two parameters.

import {
  classColours, fixed, frame, h, KEYS_ARE_MINE, onTheme, setAttributes, svg, tuple,
} from "./controls.js";
import { clamp } from "./maths.js";

export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

// plane({ label, names, extent, paint, onMove, describe, undo }) where
//   extent   [xMin, xMax, yMin, yMax]
//   names    what the two axes are called, e.g. ["z₁", "z₂"]
//   paint    (context, toPixels, size) paints the background: points, a heat map
//   onMove   (value [x, y]) if there is a handle to drag
//   describe (value) -> the handle's text for screen readers
export function plane({ label, names, extent, paint, onMove, describe = tuple, undo }) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const marks = svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  const ends = { right: h("span", { class: "vw-end right" }), top: h("span", { class: "vw-end top" }) };
  const axes = svg("path", { class: "vw-axes" });
  const root = h("div", { class: "vw-plane" }, canvas, marks, ends.right, ends.top);
  marks.append(axes);

  let box = extent;
  let value = [0, 0];
  const toUnit = ([x, y]) => [(x - box[0]) / (box[1] - box[0]), (box[3] - y) / (box[3] - box[2])];
  const fromUnit = ([u, v]) => [
    clamp(box[0] + u * (box[1] - box[0]), box[0], box[1]),
    clamp(box[3] - v * (box[3] - box[2]), box[2], box[3]),
  ];

  const repaint = frame(() => {
    const size = Math.round(root.clientWidth * (window.devicePixelRatio || 1));
    if (!size) return;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, size, size);
    paint?.(context, (point) => toUnit(point).map((u) => u * size), size);
  });

  function setExtent(next) {
    if (String(next) !== String(box)) repaint();
    box = next;
    const [u, v] = toUnit([0, 0]);
    axes.setAttribute("d", `M0 ${v}H1M${u} 0V1`);
    const digits = box[1] - box[0] < 2 ? 2 : box[1] % 1 || box[3] % 1 ? 1 : 0;
    ends.right.textContent = `${names[0]} = ${fixed(box[1], digits)}`;
    ends.right.style.top = `${100 * clamp(v, 0.02, 0.92)}%`;
    ends.top.textContent = `${names[1]} = ${fixed(box[3], digits)}`;
    ends.top.style.left = `${100 * clamp(u, 0, 0.72)}%`;
    moveTo(value);
  }

  const handle = onMove && h("div", {
    class: "vw-handle",
    role: "slider",
    tabindex: "0",
    "aria-label": label,
    "aria-roledescription": "two-way slider",
    ...KEYS_ARE_MINE,
  });

  // Put the handle somewhere, without telling.
  function moveTo(next) {
    value = [clamp(next[0], box[0], box[1]), clamp(next[1], box[2], box[3])];
    if (!handle) return;
    const [u, v] = toUnit(value);
    handle.style.left = `${100 * u}%`;
    handle.style.top = `${100 * v}%`;
    const bounds = { "aria-valuemin": box[0], "aria-valuemax": box[1], "aria-valuenow": value[0] };
    setAttributes(handle, { ...bounds, "aria-valuetext": describe(value) });
  }

  function move(next) {
    moveTo(next);
    onMove(value);
  }

  function dragged(event) {
    const frameOf = root.getBoundingClientRect();
    const along = (event.clientX - frameOf.left) / frameOf.width;
    move(fromUnit([along, (event.clientY - frameOf.top) / frameOf.height]));
  }

  function pressed(event) {
    const [dx, dy] = ARROWS[event.key] ?? [0, 0];
    const centre = event.key === "Home";
    if ((!dx && !dy && !centre) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // arrow keys turn pages on some sites
    const step = (event.shiftKey ? 0.1 : 0.02) * (box[1] - box[0]);
    const stepUp = (step * (box[3] - box[2])) / (box[1] - box[0]);
    move(centre ? [0, 0] : [value[0] + dx * step, value[1] + dy * stepUp]);
  }

  if (handle) {
    root.append(handle);
    root.classList.add("vw-draggable");
    // A finger takes the handle, or taps where it shall go. A swipe that begins elsewhere scrolls
    // the page: then the browser cancels the pointer, and no tap comes of it.
    let tap = null; // where a finger came down beside the handle
    root.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      if (event.pointerType === "touch" && !handle.contains(event.target)) {
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
    handle.addEventListener("keydown", pressed);
  } else {
    setAttributes(root, { role: "img", "aria-label": label });
  }

  // Marks are SVG shapes in the plane's own coordinates: an ellipse of given centre and radii.
  function ellipse(attributes) {
    const node = svg("ellipse", attributes);
    marks.append(node);
    return ([x, y], [rx, ry]) => {
      const [cx, cy] = toUnit([x, y]);
      const [width, height] = [box[1] - box[0], box[3] - box[2]];
      setAttributes(node, { cx, cy, rx: rx / width, ry: ry / height });
    };
  }

  // A small sign that keeps its size, for points that are not dragged; returns how to place it.
  function sign(className) {
    const node = h("span", { class: `vw-sign ${className}`, "aria-hidden": "true" });
    root.append(node);
    return (point) => {
      const [u, v] = toUnit(point);
      node.style.left = `${100 * clamp(u, 0, 1)}%`;
      node.style.top = `${100 * clamp(v, 0, 1)}%`;
    };
  }

  const observer = new ResizeObserver(repaint);
  observer.observe(root);
  undo.add(() => (observer.disconnect(), repaint.cancel()));
  onTheme(repaint.now, undo);
  setExtent(extent);
  const relabel = (text) => (handle ?? root).setAttribute("aria-label", text);
  return { root, handle, repaint, setExtent, moveTo, ellipse, sign, relabel };
}

// Codes [N, 2] as faint points in their class's colour; the chosen class is written in digits.
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

export function dot(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

// Fill a small canvas with one colour at the given opacities (0 to 1), row by row from the top.
export function paintOpacities(canvas, style, opacities) {
  const context = canvas.getContext("2d");
  context.fillStyle = style; // read back as #rrggbb
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(context.fillStyle.slice(at, at + 2), 16));
  const image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0, at = 0; i < opacities.length; i++) {
    image.data[at++] = red;
    image.data[at++] = green;
    image.data[at++] = blue;
    image.data[at++] = 255 * opacities[i];
  }
  context.putImageData(image, 0, 0);
}
