// Building blocks that the widgets share: elements, numbers, digits, sliders, colours.

// ---- elements ------------------------------------------------------------------------------
export function setAttributes(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  return node;
}

// h("button", { class: "vw-button", onclick: act }, "Clear")
export function h(tag, attributes = {}, ...children) {
  const node = setAttributes(document.createElement(tag), attributes);
  node.append(...children);
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = setAttributes(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes);
  node.append(...children);
  return node;
}

// Call at most once a frame, however many events ask for it.
export function frame(work) {
  let asked = 0;
  const later = () => {
    if (!asked) asked = requestAnimationFrame(() => ((asked = 0), work()));
  };
  later.cancel = () => cancelAnimationFrame(asked);
  later.now = () => (later.cancel(), (asked = 0), work());
  return later;
}

// What a widget must undo when its view goes away.
export function cleanups() {
  const tasks = [];
  return { add: (task) => tasks.push(task), run: () => tasks.splice(0).forEach((task) => task()) };
}

// Hear changes of the model's traits until the view goes.
export function listen(model, names, heard, undo) {
  for (const name of names) {
    model.on(`change:${name}`, heard);
    undo.add(() => model.off(`change:${name}`, heard));
  }
}

const firstValues = new WeakMap(); // model -> traits as they were before the reader moved them

// Send a trait to the model (and so to Python, where there is a kernel).
export function send(model, values) {
  const first = firstValues.get(model) ?? {};
  firstValues.set(model, first);
  for (const [name, value] of Object.entries(values)) {
    if (!(name in first)) first[name] = structuredClone(model.get(name));
    model.set(name, value);
  }
  model.save_changes();
}

// A figure with a button at its foot that puts back what the reader has moved.
export function withReset(render) {
  return (context) => {
    const leave = render(context);
    const { model, el } = context;
    const reset = button("Reset", () => send(model, structuredClone(firstValues.get(model) ?? {})), {
      title: "Put everything back as it was",
    });
    el.lastElementChild.append(h("div", { class: "vw-foot" }, reset));
    return leave;
  };
}

// ---- text ----------------------------------------------------------------------------------
// 1.5 -> "1.50", -0.001 -> "0.00", with a true minus sign.
export function fixed(value, digits = 2) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : value < 0 ? "−∞" : "undefined";
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}
export const tuple = (values, digits = 2) => `(${Array.from(values, (v) => fixed(v, digits)).join(", ")})`;

// Unseen announcements for screen readers, made when things have come to rest.
export function announcer(undo) {
  const root = h("div", { class: "vw-unseen", "aria-live": "polite" });
  let timer = 0;
  const say = (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => (root.textContent = text), 400);
  };
  undo.add(() => clearTimeout(timer));
  return { root, say };
}

// ---- light and dark ------------------------------------------------------------------------
// Call when the page changes between light and dark: the site marks html, JupyterLab marks body.
// `changed` must paint at once: a page turns light as it goes to the printer, which waits for no
// frame.
export function onTheme(changed, undo) {
  const observer = new MutationObserver(changed);
  const options = { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "class"] };
  observer.observe(document.documentElement, options);
  observer.observe(document.body, options);
  undo.add(() => observer.disconnect());
}

// The value of a style variable, e.g. colour(root, "--vw-muted"), for painting on a canvas.
export const colour = (node, name) => getComputedStyle(node).getPropertyValue(name).trim();

// The class colours stand in widgets.css, as the figures have them, lightened in dark mode. A class
// is never told by colour alone: its legend button writes the class's digit on the plane.
export const classColours = (node) => Array.from({ length: 10 }, (_, i) => colour(node, `--vw-class-${i}`));

// ---- digits --------------------------------------------------------------------------------
// A square tile of side x side pixels. Zero is white paper and one is black ink, in light and in dark mode alike, as in
// the book's figures: a digit that turned with the page would be another digit.
export function digitTile(side, attributes = {}) {
  const canvas = h("canvas", { width: side, height: side, class: "vw-digit", role: "img", ...attributes });
  const context = canvas.getContext("2d");
  const image = context.createImageData(side, side);
  image.data.fill(255);
  // values: side x side grey values in [0, 1], or logits with map = sigmoid
  const paint = (values, map = (v) => v) => {
    for (let i = 0, at = 0; at < image.data.length; i++, at += 4) {
      const grey = Math.round(255 * (1 - map(values[i])));
      image.data[at] = image.data[at + 1] = image.data[at + 2] = grey;
    }
    context.putImageData(image, 0, 0);
  };
  const describe = (text) => canvas.setAttribute("aria-label", text);
  return { canvas, paint, describe };
}

// Grey values of image number i in a trait of N images of so many pixels, a byte each.
export function digitAt(bytes, i, pixels) {
  return Float32Array.from(bytes.subarray(pixels * i, pixels * (i + 1)), (v) => v / 255);
}

// A row of digits to choose from, out of such a trait.
export function digitRow(bytes, pixels, label, onChoose) {
  const buttons = Array.from({ length: bytes.length / pixels }, (_, i) => {
    const tile = digitTile(Math.sqrt(pixels), { role: null, "aria-hidden": "true" });
    tile.paint(digitAt(bytes, i, pixels));
    const attributes = { class: "vw-pick", "aria-pressed": "false", "aria-label": `digit ${i + 1}` };
    return button(tile.canvas, () => onChoose(i), attributes);
  });
  const choose = (chosen) =>
    buttons.forEach((node, i) => node.setAttribute("aria-pressed", String(i === chosen)));
  const root = h("div", { class: "vw-row", role: "group", "aria-label": label }, ...buttons);
  return { root, choose };
}

// ---- controls ------------------------------------------------------------------------------
// Keys pressed in here are not JupyterLab's shortcuts, nor the page's.
export const KEYS_ARE_MINE = { "data-lm-suppress-shortcuts": "true" };

export function button(text, act, attributes = {}) {
  return h("button", { type: "button", class: "vw-button", onclick: act, ...attributes }, text);
}

// A native slider with its label and its number. `set` moves it without telling.
export function slider({ label, min, max, step, value, format = fixed, onInput }) {
  const output = h("output", { class: "vw-value", "aria-hidden": "true" });
  const input = h("input", { type: "range", min, max, step, "aria-label": label, ...KEYS_ARE_MINE });
  const show = (number) => {
    output.textContent = format(number);
    input.setAttribute("aria-valuetext", format(number));
  };
  const set = (number) => {
    input.value = number;
    show(number);
  };
  input.addEventListener("input", () => {
    show(input.valueAsNumber);
    onInput(input.valueAsNumber);
  });
  input.addEventListener("keydown", (event) => event.stopPropagation());
  set(value);
  return { root: h("label", { class: "vw-slider" }, h("span", {}, label), input, output), input, set };
}

// Ten buttons that name the classes; pressing one brings its points forward.
export function classLegend(onChoose) {
  let chosen = -1;
  const buttons = Array.from({ length: 10 }, (_, digit) =>
    button(String(digit), () => choose(digit === chosen ? -1 : digit), {
      class: "vw-class",
      style: `--hue: var(--vw-class-${digit})`,
      "aria-pressed": "false",
      "aria-label": `show the ${digit}s`,
    }),
  );
  const choose = (digit) => {
    chosen = digit;
    buttons.forEach((node, i) => node.setAttribute("aria-pressed", String(i === chosen)));
    onChoose(chosen);
  };
  const group = { class: "vw-legend", role: "group", "aria-label": "Classes of the points" };
  return h("div", group, ...buttons);
}

export const figure = (caption, ...children) =>
  h("div", { class: "vw-figure" }, h("div", { class: "vw-caption" }, caption), ...children);

// Pairs of a name and a live number. `show({ kl: "1.20 nats" })` writes them.
export function readings(names) {
  const values = {};
  const rows = Object.entries(names).map(([key, name]) => {
    values[key] = h("dd", {});
    return h("div", {}, h("dt", {}, name), values[key]);
  });
  const show = (texts) => {
    for (const [key, text] of Object.entries(texts)) values[key].textContent = text;
  };
  return { root: h("dl", { class: "vw-readings" }, ...rows), show };
}
