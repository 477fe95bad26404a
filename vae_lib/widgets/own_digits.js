// The reader's own drawings for train_vae.js: a board, a row of what was added, and what of it is
// trained on. The drawings stay in the page: they are no trait, and no link holds them.

import { button, fixed, h, listen, press, send, slider } from "./controls.js";
import { digitTile } from "./digits.js";
import { BOARD_KEYS, drawingBoard, likeMnist, SIDE } from "./drawing_board.js";
import { epochOf, MOST_TIMES } from "./training_set.js";

/**
 * @import { Model, Undo, Values } from "./types.d.ts"
 * @import { Drawings, Look, Settings, Source } from "./training.d.ts"
 * @typedef {{ id: number, greys: Uint8Array }} Drawing
 * @typedef {ReturnType<typeof drawingsOf>} Store
 * @typedef {import("./drawing_board.js").Stroke[]} Strokes
 * @typedef {(act: () => void, text: () => string) => void} Alter does it to the drawings, and says so
 */

export const ACROSS = 14; // pixels across, as the network sees a digit
const MOST = 60; // drawings

/** @type {Record<Source, string>} */
export const SOURCES = { book: "The book’s digits", both: "The book’s and mine", mine: "Mine alone" };

/** @type {(count: number) => string} */
export const drawingsIn = (count) => `${count} drawing${count === 1 ? "" : "s"}`;

/** @type {(count: number) => string} */
const thousands = (count) => count.toLocaleString("en-GB");

// A drawing of 28 x 28 pixels as the book's digits are: each pixel the mean of four, in sixteen
// levels of grey, 0 to 15.
/** @type {(ink: Values) => Uint8Array} */
function shrunk(ink) {
  return Uint8Array.from({ length: ACROSS * ACROSS }, (_, i) => {
    const at = 2 * SIDE * Math.floor(i / ACROSS) + 2 * (i % ACROSS);
    const four = ink[at] + ink[at + 1] + ink[at + SIDE] + ink[at + SIDE + 1];
    return Math.round((15 * four) / 4);
  });
}

// ---- the drawings --------------------------------------------------------------------------

/** @type {WeakMap<Model<any>, Store>} */
const stores = new WeakMap(); // all views of a figure show the same, also one that is drawn anew

/** @type {(model: Model<any>) => Store} */
function storeOf(model) {
  const store = stores.get(model) ?? drawingsOf();
  stores.set(model, store);
  return store;
}

function drawingsOf() {
  /** @type {Drawing[]} */
  let list = [];
  let named = 0;
  const heard = /** @type {Set<() => void>} */ (new Set());
  /** @type {(next: Drawing[]) => void} */
  const change = (next) => {
    list = next;
    heard.forEach((hear) => hear());
  };
  return {
    heard,
    all: () => list,
    add: (/** @type {Uint8Array} */ greys) => change([...list, { id: named++, greys }]),
    takeBack: (/** @type {number} */ id) => change(list.filter((drawing) => drawing.id !== id)),
    clear: () => change([]),
  };
}

/** @type {(list: Drawing[]) => Drawings} */
function packed(list) {
  const greys = new Uint8Array(list.length * ACROSS * ACROSS);
  list.forEach((drawing, k) => greys.set(drawing.greys, k * ACROSS * ACROSS));
  return { ids: list.map(({ id }) => id), greys };
}

// ---- the part of the figure ----------------------------------------------------------------

/**
 * `changed` hears that there are other drawings than before, and says whether that gives up a run;
 * `point` hears which one is looked at, and `moved` that the reader has chosen what is trained on.
 * @param {Model<Settings>} model
 * @param {Undo} undo
 * @param {{
 *   say: (text: string) => void, changed: () => boolean, point: (id: number) => void, moved: () => void,
 * }} on
 */
export function ownDigits(model, undo, { say, changed, point, moved }) {
  const store = storeOf(model);
  const status = h("p", { class: "vw-note" });
  /** @type {(text: string) => void} */
  const tell = (text) => say((status.textContent = text));
  let anew = false;
  /** @type {Alter} */
  function alter(act, text) {
    act();
    tell(anew ? `${text()} The run begins anew.` : text());
    anew = false;
  }
  const side = boardSide(store, undo, { say, tell, alter });
  const row = drawnRow(store, { point, alter, emptied: () => side.board.focus() });
  const choice = sourceChoice(model, () => store.all().length, moved);
  const panel = h("div", { class: "vw-own" });
  const right = h("div", { class: "vw-own-side" }, choice.root, row.root, status);
  panel.append(h("div", { class: "vw-own-desk" }, side.root, right), side.notes);
  const opener = button("", () => open(Boolean(panel.hidden)), { class: "vw-button vw-opener" });
  /** @type {(on: boolean) => void} */
  function open(on) {
    panel.hidden = !on;
    opener.setAttribute("aria-expanded", String(on));
  }
  function follow() {
    const count = store.all().length;
    opener.textContent = count ? `Your own digits (${count})` : "Your own digits";
    choice.follow();
  }
  const redrawn = () => {
    row.follow();
    follow();
    anew = changed();
  };
  store.heard.add(redrawn);
  undo.add(() => store.heard.delete(redrawn));
  listen(model, ["source", "times"], follow, undo);
  open(model.get("source") !== "book"); // so a link has it
  row.follow();
  follow();
  const root = h("div", { class: "vw-own-part" }, h("div", { class: "vw-bar" }, opener), panel);
  return { root, open: () => open(true), show: row.show, drawings: () => packed(store.all()) };
}

/**
 * The board, and what is added from it.
 * @param {Store} store
 * @param {Undo} undo
 * @param {{ say: (text: string) => void, tell: (text: string) => void, alter: Alter }} on
 */
function boardSide(store, undo, { say, tell, alter }) {
  /** @type {Strokes} */
  let strokes = [];
  const board = drawingBoard((drawn) => (strokes = drawn), say, undo);
  const clear = () => {
    strokes = [];
    board.show(null);
  };
  function add() {
    if (!strokes.length) return tell("Nothing is drawn on the board yet.");
    if (store.all().length >= MOST) return tell(`There is room for ${MOST} drawings: take one back first.`);
    const greys = shrunk(likeMnist(strokes));
    clear();
    alter(() => store.add(greys), () => `Added: ${drawingsIn(store.all().length)}.`);
  }
  board.canvas.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) add(); // held down, it would find the board empty
  });
  const label = `${board.canvas.getAttribute("aria-label")} Enter adds the drawing.`;
  board.canvas.setAttribute("aria-label", label);
  const tools = h("div", { class: "vw-bar" }, button("Add", add), button("Clear", clear));
  const root = h("div", { class: "vw-figure" }, h("div", { class: "vw-caption" }, "Draw, then add"));
  root.append(board.canvas, tools);
  const stay =
    "Drawings stay in this page, through Reset too, until it is closed; nothing is stored or sent. " +
    "A link holds the settings, not the drawings.";
  const keys = `${BOARD_KEYS} Enter adds the drawing.`;
  const notes = h("div", {}, ...[stay, keys].map((text) => h("p", { class: "vw-note" }, text)));
  return { root, notes, board: board.canvas };
}

/**
 * The row of what was added, at the network's resolution, with what the network makes of it below.
 * @param {Store} store
 * @param {{ point: (id: number) => void, alter: Alter, emptied: () => void }} on
 */
function drawnRow(store, { point, alter, emptied }) {
  /** @type {{ id: number, node: HTMLElement, taker: HTMLElement, copy: ReturnType<typeof digitTile> }[]} */
  let items = [];
  const row = h("div", { class: "vw-row", role: "group", "aria-label": "Your drawings, with their copies below" });
  const none = h("p", { class: "vw-note" }, "Yours appear here as the network sees them, 14 × 14. Add a few dozen.");
  const clear = () => alter(store.clear, () => "All drawings are taken back.");
  const all = button("Take all back", () => (clear(), emptied()));
  const caption = h("span", { class: "vw-note" }, "Each drawing stands above its copy. Press one to take it back.");
  const root = h("div", { class: "vw-own-drawn" }, none, row, h("div", { class: "vw-bar" }, caption, all));

  /** @type {(id: number) => void} */
  function takeBack(id) {
    const place = items.findIndex((item) => item.id === id);
    alter(() => store.takeBack(id), () => `Taken back: ${drawingsIn(items.length)} left.`);
    const next = items[Math.min(place, items.length - 1)];
    if (next) next.taker.focus();
    else emptied();
  }
  function follow() {
    const known = new Map(items.map((item) => [item.id, item]));
    items = store.all().map((drawing) => known.get(drawing.id) ?? drawnItem(drawing, takeBack, point));
    items.forEach(({ taker }, k) => taker.setAttribute("aria-label", `take back drawing ${k + 1}`));
    row.replaceChildren(...items.map(({ node }) => node));
    none.hidden = items.length > 0;
    row.hidden = caption.hidden = all.hidden = !items.length;
  }
  /** @type {(look: Look) => void} */
  function show({ ids, copies }) {
    for (const { id, copy } of items) {
      const at = ids.indexOf(id) * ACROSS * ACROSS;
      copy.canvas.classList.toggle("vw-none", at < 0);
      if (at >= 0) copy.paint(copies.subarray(at, at + ACROSS * ACROSS), (v) => v / 255);
    }
  }
  return { root, follow, show };
}

/** @type {(drawing: Drawing, takeBack: (id: number) => void, point: (id: number) => void) => any} */
function drawnItem({ id, greys }, takeBack, point) {
  const [tile, copy] = [1, 2].map(() => digitTile(ACROSS, { role: null, "aria-hidden": "true" }));
  tile.paint(greys, (v) => v / 15);
  copy.canvas.classList.add("vw-none"); // until there is one
  const [look, away] = [() => point(id), () => point(-1)];
  const hears = { onpointerenter: look, onfocus: look, onpointerleave: away, onblur: away };
  const taker = button(tile.canvas, () => takeBack(id), { class: "vw-pick vw-taker", ...hears });
  return { id, taker, copy, node: h("div", { class: "vw-own-item" }, taker, copy.canvas) };
}

// ---- what is trained on --------------------------------------------------------------------

/**
 * @param {Model<Settings>} model
 * @param {() => number} count
 * @param {() => void} moved
 */
function sourceChoice(model, count, moved) {
  /** @type {(values: Partial<Settings>) => void} */
  const change = (values) => (send(model, values), moved());
  const names = /** @type {Source[]} */ (Object.keys(SOURCES));
  const buttons = names.map((source) => button(SOURCES[source], () => change({ source })));
  const times = slider({
    label: "each of mine counts", min: 1, max: MOST_TIMES, step: 1, value: model.get("times"),
    format: (value) => `× ${value}`, onInput: (value) => change({ times: value }),
  });
  const weight = h("p", { class: "vw-note" });
  const group = h("div", { class: "vw-bar", role: "group", "aria-label": "Train on" }, ...buttons);
  const root = h("div", { class: "vw-own-choice" }, h("div", { class: "vw-caption" }, "Train on"), group);
  root.append(times.root, weight);
  function follow() {
    const source = model.get("source");
    press(buttons, names.indexOf(source));
    times.set(model.get("times"));
    times.root.hidden = source !== "both"; // alone, they make up the whole epoch
    weight.textContent = weightOf(source, model.get("times"), count());
  }
  return { root, follow };
}

// How much the drawings weigh, in words.
/** @type {(source: Source, times: number, count: number) => string} */
function weightOf(source, times, count) {
  if (!count) return source === "mine" ? NOTHING_DRAWN : "You have added none yet: an epoch is the book’s digits.";
  const { each, all } = epochOf(source, times, count);
  if (source === "book") return `Not trained on, only placed on the map: ${drawingsIn(count)}.`;
  if (source === "mine") return `In an epoch each comes ${thousands(each)} times: ${thousands(all)} in all.`;
  const share = fixed((100 * each * count) / all, 1);
  const part = `${drawingsIn(count)} × ${each} = ${thousands(each * count)}`;
  return `${part} of the ${thousands(all)} in each epoch: ${share} %.`;
}

export const NOTHING_DRAWN = "There is nothing to train on yet: draw a digit and add it, or choose the book’s.";
