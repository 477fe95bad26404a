// Building blocks that the figures share: elements, numbers, sliders, colours.

/**
 * @import {
 *   Announcer, Attributes, Child, Framed, Model, Readings, Slider, Undo, Values
 * } from "./types.d.ts"
 */

// ---- elements ------------------------------------------------------------------------------
/** @type {<E extends Element>(node: E, attributes: Attributes) => E} */
export function setAttributes(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, String(value));
  }
  return node;
}

/**
 * h("button", { class: "vw-button", onclick: act }, "Clear")
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {Child[]} children
 */
export function h(tag, attributes = {}, ...children) {
  const node = setAttributes(document.createElement(tag), attributes);
  node.append(...children);
  return node;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {Child[]} children
 */
export function svg(tag, attributes = {}, ...children) {
  const node = setAttributes(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes);
  node.append(...children);
  return node;
}

// A canvas's brush; every browser that runs these figures has one.
/** @type {(canvas: HTMLCanvasElement) => CanvasRenderingContext2D} */
export function context2d(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

// Call at most once a frame, however many events ask for it.
/** @type {(work: () => void) => Framed} */
export function frame(work) {
  let asked = 0;
  const run = () => ((asked = 0), work());
  const later = () => {
    if (!asked) asked = requestAnimationFrame(run);
  };
  later.cancel = () => cancelAnimationFrame(asked);
  later.now = () => (later.cancel(), run());
  return later;
}

// What a widget must undo when its view goes away; at once, where that has come to pass meanwhile.
/** @type {() => Undo} */
export function cleanups() {
  /** @type {(() => void)[]} */
  const tasks = [];
  let gone = false;
  const run = () => {
    gone = true;
    tasks.splice(0).forEach((task) => task());
  };
  return { add: (task) => (gone ? task() : void tasks.push(task)), run };
}

// Do some work when a node has its size, and whenever that changes, until the view goes.
/** @type {(node: Element, work: Framed, undo: Undo) => void} */
export function onResize(node, work, undo) {
  const observer = new ResizeObserver(work);
  observer.observe(node);
  undo.add(() => (observer.disconnect(), work.cancel()));
}

// ---- the model -----------------------------------------------------------------------------
/**
 * Hear changes of the model's traits until the view goes.
 * @template T
 * @param {Model<T>} model
 * @param {(keyof T & string)[]} names
 * @param {() => void} heard
 * @param {Undo} undo
 */
export function listen(model, names, heard, undo) {
  for (const name of names) {
    model.on(`change:${name}`, heard);
    undo.add(() => model.off(`change:${name}`, heard));
  }
}

/** @type {WeakMap<Model<any>, Record<string, unknown>>} */
const firstValues = new WeakMap(); // traits as they were before the reader moved them

/**
 * Send traits to the model (and so to Python, where there is a kernel).
 * @template T
 * @param {Model<T>} model
 * @param {Partial<T>} values
 */
export function send(model, values) {
  const first = firstValues.get(model) ?? {};
  firstValues.set(model, first);
  for (const name of /** @type {(keyof T & string)[]} */ (Object.keys(values))) {
    if (!(name in first)) first[name] = structuredClone(model.get(name));
    model.set(name, /** @type {T[typeof name]} */ (values[name]));
  }
  model.save_changes();
}

/** @type {WeakMap<Model<any>, Set<() => void>>} */
const untilReset = new WeakMap(); // what goes on by itself, and stops when all is put back

/** @type {(model: Model<any>, stop: () => void, undo: Undo) => void} */
export function stopAtReset(model, stop, undo) {
  const stops = untilReset.get(model) ?? new Set();
  untilReset.set(model, stops.add(stop));
  undo.add(() => stops.delete(stop));
}

// Put back what the reader has moved.
/** @type {(model: Model<any>) => void} */
export function putBack(model) {
  untilReset.get(model)?.forEach((stop) => stop());
  send(model, structuredClone(firstValues.get(model) ?? {}));
}

// The names of the traits that the reader has moved.
/** @type {(model: Model<any>) => string[]} */
export const movedTraits = (model) => Object.keys(firstValues.get(model) ?? {});

// ---- text ----------------------------------------------------------------------------------
// 1.5 -> "1.50", -0.001 -> "0.00", with a true minus sign.
/** @type {(value: number, digits?: number) => string} */
export function fixed(value, digits = 2) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : value < 0 ? "−∞" : "undefined";
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** @type {(values: Values, digits?: number) => string} */
export const tuple = (values, digits = 2) => `(${Array.from(values, (v) => fixed(v, digits)).join(", ")})`;

// Unseen announcements for screen readers, made when things have come to rest.
/** @type {(undo: Undo) => Announcer} */
export function announcer(undo) {
  const root = h("div", { class: "vw-unseen", "aria-live": "polite" });
  let timer = 0;
  /** @type {(text: string) => void} */
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
/** @type {(changed: () => void, undo: Undo) => void} */
export function onTheme(changed, undo) {
  const observer = new MutationObserver(changed);
  const options = { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "class"] };
  observer.observe(document.documentElement, options);
  observer.observe(document.body, options);
  undo.add(() => observer.disconnect());
}

// The value of a style variable, e.g. colour(root, "--vw-muted"), for painting on a canvas.
/** @type {(node: Element, name: string) => string} */
export const colour = (node, name) => getComputedStyle(node).getPropertyValue(name).trim();

// The class colours stand in widgets.css, as the figures have them, lightened in dark mode. A class
// is never told by colour alone: its legend button writes the class's digit on the plane.
/** @type {(node: Element) => string[]} */
export const classColours = (node) => Array.from({ length: 10 }, (_, i) => colour(node, `--vw-class-${i}`));

// ---- controls ------------------------------------------------------------------------------
// Keys pressed in here are not JupyterLab's shortcuts, nor the page's.
export const KEYS_ARE_MINE = { "data-lm-suppress-shortcuts": "true" };

/** @type {(text: Child, act: () => void, attributes?: Attributes) => HTMLButtonElement} */
export function button(text, act, attributes = {}) {
  return h("button", { type: "button", class: "vw-button", onclick: act, ...attributes }, text);
}

// Show which of some buttons holds; -1 if none does.
/** @type {(buttons: Element[], chosen: number) => void} */
export function press(buttons, chosen) {
  buttons.forEach((node, i) => node.setAttribute("aria-pressed", String(i === chosen)));
}

/**
 * A native slider with its label and its number. `set` moves it without telling.
 * @param {{
 *   label: string, min: number, max: number, step: number, value: number,
 *   format?: (value: number) => string, onInput: (value: number) => void,
 * }} options
 * @returns {Slider}
 */
export function slider({ label, min, max, step, value, format = (v) => fixed(v), onInput }) {
  const output = h("output", { class: "vw-value", "aria-hidden": "true" });
  const input = h("input", { type: "range", min, max, step, "aria-label": label, ...KEYS_ARE_MINE });
  /** @type {(number: number) => void} */
  const show = (number) => {
    output.textContent = format(number);
    input.setAttribute("aria-valuetext", format(number));
  };
  /** @type {(number: number) => void} */
  const set = (number) => {
    input.value = String(number);
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
/** @type {(onChoose: (digit: number) => void) => HTMLElement} */
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
  /** @type {(digit: number) => void} */
  const choose = (digit) => {
    chosen = digit;
    press(buttons, chosen);
    onChoose(chosen);
  };
  const group = { class: "vw-legend", role: "group", "aria-label": "Classes of the points" };
  return h("div", group, ...buttons);
}

/** @type {(caption: string, ...children: Child[]) => HTMLElement} */
export const figure = (caption, ...children) =>
  h("div", { class: "vw-figure" }, h("div", { class: "vw-caption" }, caption), ...children);

/**
 * Pairs of a name and a live number. `show({ kl: "1.20 nats" })` writes them.
 * @template {string} K
 * @param {Record<K, string>} names
 * @returns {Readings<K>}
 */
export function readings(names) {
  const keys = /** @type {K[]} */ (Object.keys(names));
  const values = new Map(keys.map((key) => [key, h("dd", {})]));
  const rows = Array.from(values, ([key, value]) => h("div", {}, h("dt", {}, names[key]), value));
  /** @type {Readings<K>["show"]} */
  const show = (texts) => {
    for (const [key, value] of values) if (key in texts) value.textContent = texts[key] ?? "";
  };
  return { root: h("dl", { class: "vw-readings" }, ...rows), show };
}
