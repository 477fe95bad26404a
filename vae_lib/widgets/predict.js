// Predict first: a panel over a figure asks for a guess. What would tell the answer is covered until
// there is one, from screen readers too, and keeps its room.

import { button, fixed, h, listen, press, slider } from "./controls.js";

/**
 * @import { Model, Undo } from "./types.d.ts"
 * @typedef {{ root: HTMLElement, value: () => number | null }} Guess
 */

const BEFORE = "At the setting that was asked about: "; // once the reader has moved on

/**
 * The panel, which shows itself while the trait `ask` is true. An answer sets that to false, for
 * every view of the model.
 * question  what is asked, of the figure as it stands
 * about     the traits that the question speaks of
 * verdict   one sentence: the guess, the truth and how far off; of null, the truth alone
 * cover     what is hidden until then
 * still     what is shown, but waits
 * @template {{ ask: boolean }} T
 * @param {{
 *   model: Model<T>, question: () => string, about: (keyof T & string)[], guess: Guess,
 *   verdict: (guess: number | null) => string, cover: Element[], still?: HTMLElement[], undo: Undo,
 * }} options
 */
export function predictFirst({ model, question, about, guess, verdict, cover, still = [], undo }) {
  const asked = h("p", {});
  const told = h("p", { tabindex: "-1" });
  const own = button("This is my guess", () => answer(guess.value()));
  const skip = button("Show it without a guess", () => answer(null));
  const form = h("div", {}, asked, guess.root, h("div", { class: "vw-bar" }, own, skip));
  const root = h("div", { class: "vw-guess", role: "group", "aria-label": "Predict first" }, form, told);

  const ready = () => (own.disabled = guess.value() === null);
  function show() {
    const asking = Boolean(model.get("ask"));
    for (const node of [...cover, ...still]) node.toggleAttribute("inert", asking);
    for (const node of cover) node.classList.toggle("vw-covered", asking);
    if (asking) [asked.textContent, told.textContent] = [question(), ""];
    form.hidden = !asking;
    root.hidden = !asking && !told.textContent;
  }
  /** @type {(value: number | null) => void} */
  function answer(value) {
    told.textContent = verdict(value);
    model.set("ask", false);
    model.save_changes();
    show();
    told.focus({ preventScroll: true }); // which reads it out, and the button pressed is gone
  }
  guess.root.addEventListener("click", ready);
  listen(model, ["ask"], show, undo);
  listen(model, about, () => {
    show();
    if (told.textContent && !told.textContent.startsWith(BEFORE)) told.prepend(BEFORE);
  }, undo);
  ready();
  show();
  return root;
}

/**
 * A guess by a slider, whose values `scale` maps to what is guessed.
 * @param {{
 *   label: string, min: number, max: number, step: number, value: number,
 *   scale?: (value: number) => number, format: (guess: number) => string,
 * }} options
 * @returns {Guess}
 */
export function guessNumber({ scale = (v) => v, format, ...options }) {
  const { root, input } = slider({ ...options, format: (v) => format(scale(v)), onInput: () => {} });
  return { root, value: () => scale(input.valueAsNumber) };
}

/**
 * A guess by buttons: the number of the one that is pressed.
 * @param {string} label
 * @param {string[]} texts
 * @returns {Guess}
 */
export function guessSide(label, texts) {
  let chosen = -1;
  const buttons = texts.map((text, k) => button(text, () => press(buttons, (chosen = k)), { "aria-pressed": "false" }));
  const root = h("div", { class: "vw-bar", role: "group", "aria-label": label }, ...buttons);
  return { root, value: () => (chosen < 0 ? null : chosen) };
}

// The verdict on a number of nats, as the figure writes it.
/** @type {(guess: number | null, truth: number, digits?: number) => string} */
export function verdictInNats(guess, truth, digits = 2) {
  const nats = (/** @type {number} */ v) => `${fixed(v, digits)} nats`;
  if (guess === null) return `It is ${nats(truth)}.`;
  const off = guess - truth;
  const wide = `${nats(Math.abs(off))} too ${off > 0 ? "high" : "low"}`;
  const far = Math.abs(off) < 0.5 * 10 ** -digits ? "just right" : wide;
  return `You guessed ${nats(guess)}; it is ${nats(truth)}: ${far}.`;
}

// The verdict on a number that is told by a factor.
/** @type {(guess: number | null, truth: number, format: (value: number) => string) => string} */
export function verdictByFactor(guess, truth, format) {
  if (guess === null) return `It is ${format(truth)}.`;
  const factor = Math.max(guess / truth, truth / guess);
  const far = factor < 1.05 ? "as good as right" : `${fixed(factor, 1)} times too ${guess > truth ? "high" : "low"}`;
  return `You guessed ${format(guess)}; it is ${format(truth)}: ${far}.`;
}
