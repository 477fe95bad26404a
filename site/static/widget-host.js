// Shows the book's widgets on a static page, with no kernel and no request to anyone.
//
// myst-nb writes the state of a notebook's widgets into the page. Every anywidget carries its own
// ES module in that state (the trait _esm, see https://anywidget.dev/en/afm/), so this script only
// has to import the module and give it a model and an element. Panels of plain ipywidgets need
// Python: in their place stands a note, with the picture of a result that the panel holds.
//
// Until a figure is drawn its still picture stands in its place (see book_site/stills.py), and
// where it cannot be drawn the picture stays.
//
// This is a classic script, deferred: browsers refuse a module script over file://, where readers
// open the book that they have built. In a block of its own, so that no other script's names clash.
"use strict";
{
const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';
const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
const ROOT = document.documentElement.dataset.content_root ?? "./";

/**
 * @typedef {{
 *   state: Record<string, any>, model_name: string, buffers?: Buffer[],
 *   held_texts?: Record<string, string>, lost?: string,
 * }} Stored
 * @typedef {{ path: string[], data: string, held?: string }} Buffer
 * @typedef {(id: string) => Model} GetModel
 * @typedef {(...values: any[]) => void} Handler
 * @typedef {{ model: Model, signal: AbortSignal, experimental: object }} Given
 * @typedef {{
 *   initialize?: (given: Given) => unknown, render: (given: Given & { el: Element }) => unknown,
 * }} Hooks
 */

/**
 * An element with attributes and children; text is text, never markup.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} children
 */
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// ---- what is held in scripts of its own ---------------------------------------------------------

/** @type {Map<string, Promise<string | undefined>>} */
const pieces = new Map(); // by digest

/**
 * A piece, from the script that holds it (see book_site/held.py), which is asked for once.
 * @type {(digest: string) => Promise<string | undefined>}
 */
function piece(digest) {
  const known = pieces.get(digest);
  if (known) return known;
  const asked = new Promise((resolve) => {
    const script = element("script", { src: `${ROOT}_static/w-${digest}.js` });
    script.onload = script.onerror = () => resolve(/** @type {any} */ (window).bookHeld?.[digest]);
    document.head.append(script);
  });
  pieces.set(digest, asked);
  return asked;
}

/**
 * Put back what is long in a state, and name what is lost.
 * @type {(stored: Stored) => Promise<void>}
 */
async function putBack(stored) {
  /** @type {(digest: string) => Promise<string>} */
  const held = async (digest) => {
    const text = await piece(digest);
    if (text === undefined) stored.lost = `_static/w-${digest}.js`;
    return text ?? "";
  };
  for (const buffer of stored.buffers ?? []) {
    if (buffer.held) buffer.data = await held(buffer.held);
  }
  for (const [name, digest] of Object.entries(stored.held_texts ?? {})) {
    stored.state[name] = await held(digest);
  }
}

/**
 * The digests of the pieces that a state lacks.
 * @type {(stored: Stored) => string[]}
 */
const lacks = ({ buffers = [], held_texts = {} }) => [
  ...Object.values(held_texts),
  ...buffers.flatMap(({ held }) => held ?? []),
];

// ---- models -------------------------------------------------------------------------------------

/** @type {(text: string) => DataView} */
function decodeBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return new DataView(bytes.buffer);
}

/**
 * The traits of a stored model, with its binary ones put back at their paths.
 * @type {(stored: Stored) => Record<string, any>}
 */
function restoreTraits({ state, buffers = [] }) {
  const traits = structuredClone(state);
  for (const { path, data } of buffers) {
    const owner = path.slice(0, -1).reduce((value, key) => (value[key] ??= {}), traits);
    owner[path[path.length - 1]] = decodeBase64(data);
  }
  return traits;
}

/** @type {(a: unknown, b: unknown) => boolean} */
function same(a, b) {
  if (Object.is(a, b)) return true;
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) return false;
  const plain = typeof a === "object" && typeof b === "object";
  return plain && JSON.stringify(a) === JSON.stringify(b);
}

/** The part of a widget's model that a front-end module may use; nothing is sent anywhere. */
class Model {
  #traits;
  /** @type {Map<string, Set<Handler>>} */
  #handlers = new Map();

  /**
   * @param {Stored} stored
   * @param {GetModel} getModel
   */
  constructor(stored, getModel) {
    this.#traits = restoreTraits(stored);
    this.widget_manager = { get_model: async (/** @type {string} */ id) => getModel(id) };
  }

  /** @param {string} name */
  get(name) {
    return this.#traits[name];
  }

  /**
   * @param {string | Record<string, unknown>} name
   * @param {unknown} [value]
   */
  set(name, value) {
    const changes = typeof name === "object" ? name : { [name]: value };
    const changed = Object.entries(changes).filter(([key, next]) => !same(this.#traits[key], next));
    for (const [key, next] of changed) this.#traits[key] = next;
    for (const [key, next] of changed) this.#emit(`change:${key}`, next);
    if (changed.length) this.#emit("change");
  }

  /**
   * @param {string} events
   * @param {Handler} handler
   */
  on(events, handler) {
    for (const event of events.split(/\s+/)) {
      this.#handlers.set(event, (this.#handlers.get(event) ?? new Set()).add(handler));
    }
  }

  /**
   * @param {string} [events]
   * @param {Handler} [handler]
   */
  off(events, handler) {
    if (!events) this.#handlers.clear();
    for (const event of events?.split(/\s+/) ?? []) {
      if (handler) this.#handlers.get(event)?.delete(handler);
      else this.#handlers.delete(event);
    }
  }

  save_changes() {}

  send() {}

  /**
   * @param {string} event
   * @param {unknown} [value]
   */
  #emit(event, value) {
    for (const handler of [...(this.#handlers.get(event) ?? [])]) handler(this, value);
  }
}

// ---- anywidgets ---------------------------------------------------------------------------------

/** @type {Map<string, Promise<Hooks>>} */
const modules = new Map(); // hooks, by their module's source text
const styles = new Set(); // style sheets that are on the page

/** @type {(source: string) => Promise<Hooks>} */
async function importModule(source) {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    const module = await import(url);
    const hooks = module.default ?? module; // `export function render` is the older form
    return typeof hooks === "function" ? await hooks() : hooks;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** @type {(source: string) => Promise<Hooks>} */
function loadModule(source) {
  const hooks = modules.get(source) ?? importModule(source);
  modules.set(source, hooks);
  return hooks;
}

/** @type {(css: string | undefined) => void} */
function addStyle(css) {
  if (!css || styles.has(css)) return;
  styles.add(css);
  document.head.append(element("style", {}, css));
}

/** @typedef {{ model: Model, hooks: Hooks }} Started */
/** @type {Map<string, Promise<Started>>} */
const running = new Map(); // by the model's id: one model may have many views

/** @type {(id: string, stored: Stored, getModel: GetModel) => Promise<Started>} */
async function start(id, stored, getModel) {
  const hooks = await loadModule(stored.state._esm);
  const model = getModel(id);
  addStyle(model.get("_css"));
  await hooks.initialize?.({ model, signal: new AbortController().signal, experimental: {} });
  return { model, hooks };
}

/**
 * Draw an anywidget; false where it cannot be drawn.
 * @type {(id: string, stored: Stored, getModel: GetModel, place: Element) => Promise<boolean>}
 */
async function renderAnywidget(id, stored, getModel, place) {
  const el = element("div", { class: ["book-widget", ...(stored.state._dom_classes ?? [])].join(" ") });
  place.append(el);
  try {
    if (stored.lost) throw new Error("a part of it is missing.");
    const started = running.get(id) ?? start(id, stored, getModel);
    running.set(id, started);
    const { model, hooks } = await started;
    await hooks.render({ model, el, signal: new AbortController().signal, experimental: {} });
    return true;
  } catch (error) {
    console.error(error);
    const why = error instanceof Error ? error.message : String(error);
    const reason = `This figure could not be drawn here: ${why}`;
    el.replaceChildren(element("p", { class: "book-notice", role: "alert" }, reason));
    return false;
  }
}

// ---- panels that need a kernel ------------------------------------------------------------------

function kernelNotice() {
  /** @type {HTMLAnchorElement | null} */
  const binder = document.querySelector('.article-header-buttons a[href*="/v2/gh/"]');
  const run = element("a", { href: `${ROOT}book/intro.html#how-to-read-launch-and-rerun` }, "run the book yourself");
  const launch = binder && element("a", { href: binder.href }, "launch this page in Binder");
  const ways = launch ? [launch, " or ", run] : [run];
  const text = ["These controls need a running kernel: ", ...ways, ". "];
  return element("p", { class: "book-notice", role: "note" }, ...text);
}

/** @type {(model: Model, place: Element) => void} */
function renderImage(model, place) {
  const type = `image/${model.get("format") || "png"}`;
  const src = URL.createObjectURL(new Blob([model.get("value")], { type }));
  place.append(element("img", { src, alt: model.get("alt") ?? "", class: "dark-light" }));
}

/**
 * A model's id and those of all the widgets it contains, in the order in which they are shown.
 * @type {(id: string, states: Record<string, Stored>) => string[]}
 */
function descendants(id, states) {
  /** @type {string[]} */
  const children = states[id]?.state.children;
  if (!Array.isArray(children)) return [id];
  const ids = children.filter((child) => typeof child === "string").map((child) => child.replace("IPY_MODEL_", ""));
  return [id, ...ids.flatMap((child) => descendants(child, states))];
}

const PASSIVE = new Set([
  "AccordionModel", "BoxModel", "GridBoxModel", "HBoxModel", "HTMLMathModel", "HTMLModel",
  "ImageModel", "LabelModel", "OutputModel", "StackModel", "TabModel", "VBoxModel", "AnyModel",
]);

// ---- the page -----------------------------------------------------------------------------------

/**
 * Draw one view: the widget itself, or what can be shown of a panel without a kernel.
 * @type {(script: Element, states: Record<string, Stored>, getModel: GetModel) => Promise<void>}
 */
async function renderView(script, states, getModel) {
  const { model_id: root } = JSON.parse(script.textContent);
  const place = element("div", { class: "book-widgets" });
  script.replaceWith(place);
  if (!states[root]) {
    place.append(element("p", { class: "book-notice" }, "The state of this widget was not stored."));
    return;
  }
  const still = place.previousElementSibling;
  // While it is drawn it takes no height, beside the still that it replaces: the text stays put.
  if (still?.matches(".book-still")) place.style.cssText = "height: 0; margin: 0; overflow: hidden";
  const ids = descendants(root, states).filter((id) => states[id]);
  await Promise.all(ids.map((id) => putBack(states[id])));
  let drawn = true;
  const lost = ids.find((id) => states[id].lost);
  if (lost) place.append(element("p", { class: "book-notice" }, `${states[lost].lost} was not found.`));
  if (ids.some((id) => !PASSIVE.has(states[id].model_name))) place.append(kernelNotice());
  for (const id of ids) {
    if (states[id].model_name === "ImageModel") renderImage(getModel(id), place);
    if (states[id].state._esm === undefined) continue;
    const done = await renderAnywidget(id, states[id], getModel, place);
    drawn &&= done;
  }
  if (drawn && !lost && still?.matches(".book-still")) still.remove();
  place.removeAttribute("style");
}

/**
 * Text and pictures come first, and are painted: figures have stills, and networks are long.
 * @type {() => Promise<void>}
 */
async function pageIsThere() {
  if (document.readyState !== "complete") {
    await new Promise((resume) => addEventListener("load", resume, { once: true }));
  }
  await new Promise((resume) => requestAnimationFrame(() => setTimeout(resume)));
}

async function renderPage() {
  /** @type {Record<string, Stored>} */
  const states = {};
  for (const script of document.querySelectorAll(STATE)) {
    Object.assign(states, JSON.parse(script.textContent).state);
  }
  await pageIsThere();
  Object.values(states).flatMap(lacks).forEach(piece); // all at once; a figure waits for its own
  /** @type {Map<string, Model>} */
  const models = new Map();
  /** @type {GetModel} */
  const getModel = (id) => {
    const model = models.get(id) ?? new Model(states[id], getModel);
    models.set(id, model);
    return model;
  };
  for (const script of document.querySelectorAll(VIEW)) {
    // What is wrong with one figure is not to stop those after it.
    await renderView(script, states, getModel).catch((error) => console.error(error));
    await new Promise((resume) => setTimeout(resume)); // let the page answer between two widgets
  }
  document.documentElement.dataset.widgets = "ready";
  performance.mark("widgets drawn");
}

renderPage();
}
