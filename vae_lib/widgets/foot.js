// What stands at a figure's foot: Reset, and on the book's pages a link to the reader's setting, as
// in #two-gaussians=q:1;0.7,shaded:p||q.

import { button, cleanups, h, listen, movedTraits, putBack, send } from "./controls.js";
import { bytesOf, clamp } from "./maths.js";

/**
 * @import { Kind, Model, Movable, Pair, Render, Undo } from "./types.d.ts"
 * @typedef {{ name: string, table: Record<string, Kind>, read: boolean }} Link
 */

/** @type {Pair} */
export const SEEDS = [0, 999999]; // that a link may hold
/** @type {Pair} */
export const DRAWN = [-6, 6]; // as far as draws of N(0, 1) go

/**
 * A figure with its foot. `name` stands for it in a link; the second figure of a class on a page is
 * name-2. `movable` lists the traits that a link may set, with what each may be. A figure that has
 * a way back of its own takes no Reset.
 * @template T
 * @param {string} name
 * @param {(model: Model<T>) => Movable<T>} movable
 * @param {Render<T>} render
 * @param {{ reset?: boolean }} [options]
 * @returns {Render<T>}
 */
export function withFoot(name, movable, render, { reset = true } = {}) {
  return (context) => {
    const { model, el } = context;
    const link = linkOf(model, name, /** @type {Record<string, Kind>} */ (movable(model)));
    const called = readLink(model, link);
    const leave = render(context);
    const undo = cleanups();
    const title = "Put everything back as it was";
    const parts = reset ? [button("Reset", () => putBack(model), { title })] : [];
    const foot = h("div", { class: "vw-foot" }, ...linkParts(model, link, undo), ...parts);
    const root = el.lastElementChild;
    if (foot.hasChildNodes()) root?.append(foot);
    // Once the page has put the figure in the place of its still picture.
    const come = () => root?.scrollIntoView({ behavior: "instant" });
    if (called) requestAnimationFrame(come);
    const follow = () => {
      link.read = false;
      if (readLink(model, link)) come();
    };
    if (reset) addEventListener("hashchange", follow); // the training would have to begin anew
    undo.add(() => removeEventListener("hashchange", follow));
    return () => (undo.run(), leave());
  };
}

/** @type {WeakMap<Model<any>, Link>} */
const links = new WeakMap();
let figures = 0; // of this class, on this page

/** @type {(model: Model<any>, name: string, table: Record<string, Kind>) => Link} */
function linkOf(model, name, table) {
  const known = links.get(model);
  if (known) return known;
  const link = { name: ++figures > 1 ? `${name}-${figures}` : name, table, read: false };
  links.set(model, link);
  return link;
}

const onBook = () => document.documentElement.dataset.content_root !== undefined;

/** @type {(model: Model<any>, link: Link, undo: Undo) => Node[]} */
function linkParts(model, link, undo) {
  if (!onBook()) return [];
  const note = h("span", { class: "vw-note", "aria-live": "polite" });
  let moves = Infinity; // since the button was pressed
  const say = (/** @type {string} */ copied) => {
    note.textContent = `The address ${moves ? "holds an earlier" : "now holds this"} setting${copied}.`;
  };
  const press = async () => {
    writeLink(model);
    moves = 0;
    say((await copy(location.href)) ? "; copied" : "");
  };
  const moved = () => {
    if (++moves === 1) say("");
  };
  listen(model, Object.keys(link.table), moved, undo);
  const title = "Put this setting into the page's address, and copy it";
  return [note, button("Link to this", press, { title })];
}

/** @type {(text: string) => Promise<boolean>} */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // where a page may not, or has no clipboard: the address holds it
  }
}

/**
 * Put traits, or all that the reader has moved, into the address of a page of the book.
 * @param {Model<any>} model
 * @param {string[]} [names]
 */
export function writeLink(model, names = movedTraits(model)) {
  const link = links.get(model);
  if (!link || !onBook()) return;
  const parts = names
    .filter((name) => name in link.table)
    .map((name) => `${name}:${written(link.table[name], model.get(name))}`);
  history.replaceState(null, "", `#${link.name}=${parts.join(",")}`);
}

// Set what the address says of this figure, once; true where it speaks of it. What is not in the
// table, or is none of what that allows, is left.
/** @type {(model: Model<any>, link: Link) => boolean} */
function readLink(model, link) {
  const [, name, text = ""] = /^#([\w-]+)=(.*)$/s.exec(hashOf(location)) ?? [];
  if (link.read || !onBook() || name !== link.name) return false;
  link.read = true;
  /** @type {Record<string, unknown>} */
  const values = {};
  for (const [trait, told = ""] of text.split(",").map((pair) => pair.split(":"))) {
    const value = Object.hasOwn(link.table, trait) ? valueOf(link.table[trait], told) : undefined;
    if (value !== undefined) values[trait] = value;
  }
  if (Object.keys(values).length) send(model, values);
  return true;
}

/** @type {(address: Location) => string} */
function hashOf({ hash }) {
  try {
    return decodeURIComponent(hash);
  } catch {
    return ""; // a percent sign that encodes nothing
  }
}

// ---- values as text --------------------------------------------------------------------------

/** @type {(value: number) => string} */
const short = (value) => String(Number(value.toPrecision(6)));

/** @type {(kind: Kind, value: any) => string} */
function written(kind, value) {
  if ("ink" in kind) return inkText(bytesOf(value));
  if ("flag" in kind) return String(Number(value));
  if ("oneOf" in kind) return encodeURIComponent(value);
  if ("numbers" in kind) return value.map(short).join(";");
  if ("points" in kind) {
    const names = Object.keys(kind.points);
    return names.flatMap((name) => value[name] ?? kind.points[name].map(() => 0)).map(short).join(";");
  }
  return short(value);
}

// What a text says, or undefined where it says nothing that the kind allows.
/** @type {(kind: Kind, text: string) => unknown} */
function valueOf(kind, text) {
  if ("ink" in kind) return inkIn(text, kind.ink);
  if ("flag" in kind) return text === "1" || (text === "0" ? false : undefined);
  if ("oneOf" in kind) return kind.oneOf.find((value) => String(value) === text);
  if ("numbers" in kind) return numbersIn(text, kind.numbers);
  if ("points" in kind) return pointsIn(text, kind.points);
  if ("whole" in kind) return /^\d+$/.test(text) ? numberIn(text, kind.whole) : undefined;
  const value = numberIn(text, kind.number);
  return value === undefined || !kind.step ? value : Math.round(value / kind.step) * kind.step;
}

// Rounded in the link, a number may lie beyond the end of its range by a little.
/** @type {(text: string, range: Pair) => number | undefined} */
function numberIn(text, [low, high]) {
  const value = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text) ? Number(text) : NaN;
  const slack = 1e-5 * Math.max(Math.abs(low), Math.abs(high));
  return value >= low - slack && value <= high + slack ? clamp(value, low, high) : undefined;
}

/** @type {(text: string, ranges: Pair[]) => number[] | undefined} */
function numbersIn(text, ranges) {
  const texts = text.split(";");
  const values = ranges.map((range, i) => numberIn(texts[i] ?? "", range));
  const whole = (/** @type {(number | undefined)[]} */ all) => !all.includes(undefined);
  return texts.length === ranges.length && whole(values) ? /** @type {number[]} */ (values) : undefined;
}

/** @type {(text: string, ranges: Record<string, Pair[]>) => Record<string, number[]> | undefined} */
function pointsIn(text, ranges) {
  const values = numbersIn(text, Object.values(ranges).flat());
  if (!values) return undefined;
  const lists = Object.entries(ranges).map(([name, own]) => [name, values.splice(0, own.length)]);
  return Object.fromEntries(lists);
}

// An image in black and white, eight pixels a byte, in the base64 of addresses.
/** @type {(grey: Uint8Array) => string} */
function inkText(grey) {
  const bytes = Array.from({ length: Math.ceil(grey.length / 8) }, (_, k) =>
    grey.subarray(8 * k, 8 * k + 8).reduce((byte, level, bit) => byte | (Number(level > 127) << bit), 0),
  );
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}

/** @type {(text: string, pixels: number) => DataView | undefined} */
function inkIn(text, pixels) {
  const count = Math.ceil(pixels / 8);
  if (!/^[\w-]*$/.test(text) || text.length !== Math.ceil((4 * count) / 3)) return undefined;
  const bytes = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  const grey = Uint8Array.from({ length: pixels }, (_, i) =>
    (bytes.charCodeAt(i >> 3) >> (i & 7)) & 1 ? 255 : 0,
  );
  return new DataView(grey.buffer);
}
