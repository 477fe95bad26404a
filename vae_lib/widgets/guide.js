// The first minute with a figure: a few steps, each a text and the nodes that it points at.

import { button, h, KEYS_ARE_MINE } from "./controls.js";

/**
 * @import { Undo } from "./types.d.ts"
 * @typedef {{ text: string, nodes: Element[] }} Step
 */

/** @type {(key: string) => boolean} */
function wasSeen(key) {
  try {
    return localStorage.getItem(key) !== null;
  } catch {
    return false; // where a page may store nothing
  }
}

/** @type {(key: string) => void} */
function remember(key) {
  try {
    localStorage.setItem(key, "1");
  } catch {
    // it is shown again, then
  }
}

/**
 * Shown to whoever has not seen it yet, and whenever the button `again` is pressed. The browser
 * keeps under `key` that it has been seen.
 * @param {{ key: string, steps: Step[], say: (text: string) => void, undo: Undo }} options
 */
export function guide({ key, steps, say, undo }) {
  const panel = guidePanel(steps.length, (by) => turn(step + by));
  const again = button("Guide me", () => (turn(0), panel.next.focus()));
  let step = -1; // none

  /** @type {(to: number) => void} */
  function turn(to) {
    go(to);
    if (step < 0) return;
    // All that the step speaks of, as far as it fits, and the first of it in any case.
    [...steps[step].nodes].reverse().forEach((node) => node.scrollIntoView({ block: "nearest" }));
    say(panel.told());
  }
  /** @type {(to: number) => void} */
  function go(to) {
    const left = panel.root.contains(document.activeElement);
    steps[step]?.nodes.forEach((node) => node.classList.remove("vw-pointed"));
    step = to < steps.length ? to : -1;
    panel.root.hidden = step < 0;
    again.hidden = step >= 0;
    if (step < 0) {
      remember(key);
      if (left) again.focus(); // and not nowhere
      return;
    }
    panel.show(step, steps[step].text);
    steps[step].nodes.forEach((node) => node.classList.add("vw-pointed"));
  }

  panel.root.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") go(steps.length);
  });
  // It has been seen when it has been on the screen, whatever the reader then does.
  const observer = new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting) remember(key);
  });
  observer.observe(panel.root);
  undo.add(() => observer.disconnect());
  go(wasSeen(key) ? steps.length : 0);
  return { root: panel.root, again };
}

/**
 * The panel that tells a step, with the buttons that turn to others.
 * @param {number} total
 * @param {(by: number) => void} turn
 */
function guidePanel(total, turn) {
  const count = h("span", { class: "vw-number" });
  const text = h("p", {});
  const back = button("Back", () => turn(-1));
  const next = button("Next", () => turn(1));
  const skip = button("Skip", () => turn(total));
  const group = { class: "vw-guide", role: "group", "aria-label": "Guide to this figure" };
  const bar = h("div", { class: "vw-bar" }, back, next, skip);
  const root = h("div", { ...group, ...KEYS_ARE_MINE }, count, text, bar);
  /** @type {(step: number, words: string) => void} */
  function show(step, words) {
    const last = step === total - 1;
    count.textContent = `${step + 1} of ${total}`;
    text.textContent = words;
    if (step === 0 && document.activeElement === back) next.focus(); // a button that is off hears no key
    back.disabled = step === 0;
    next.textContent = last ? "Done" : "Next";
    skip.style.visibility = last ? "hidden" : ""; // its room stays: nothing moves
  }
  return { root, next, show, told: () => `${count.textContent}: ${text.textContent}` };
}
