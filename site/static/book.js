// Keyboard access to what scrolls sideways: a formula, a listing, a table or a figure too wide for
// the screen.
// Only those that do scroll become stops for the Tab key.

const SCROLLERS = [
  ".math-scroll",
  ".highlight pre",
  ".pst-scrollable-table-container",
  ".cell_output > .output",
  ".wide-figure",
].join();

/** @type {(boxes: Element[]) => void} */
function mark(boxes) {
  // All are measured before any is changed: else the page would be laid out for each.
  const scrolls = boxes.map((box) => box.scrollWidth > box.clientWidth + 1);
  boxes.forEach((box, k) => {
    if (scrolls[k]) box.setAttribute("tabindex", "0");
    else box.removeAttribute("tabindex");
  });
}

// A box changes its size with the window, when a folded cell opens, when a widget is drawn in it.
const observer = new ResizeObserver((entries) => mark(entries.map(({ target }) => target)));
const boxes = [...document.querySelectorAll(SCROLLERS)];
boxes.forEach((box) => observer.observe(box));
// Fonts and pictures change what is in a box and may leave its own size alone. What is folded is not
// laid out before it opens.
const markAll = () => mark(boxes.filter((box) => !box.closest("details:not([open])")));
document.fonts.addEventListener("loadingdone", markAll);
addEventListener("load", markAll);

// Paper has room for so much of a formula, in its own letters; one that cannot be broken into lines
// is set smaller (see the rules for paper in book.css).
const PAPER = 41; // em, beside a number

function fitFormulas() {
  /** @type {NodeListOf<HTMLElement>} */
  const formulas = document.querySelectorAll(".math-scroll");
  for (const box of formulas) {
    const size = parseFloat(getComputedStyle(box.querySelector(".katex") ?? box).fontSize);
    const scale = Math.min(1, (PAPER * size) / box.scrollWidth);
    const whole = box.querySelectorAll(".katex-html > .base").length === 1;
    if (whole) box.style.setProperty("--paper-scale", String(scale));
  }
}

// Paper is white: a dark page turns light while it is printed. Figures paint themselves anew when
// the theme changes (see onTheme in vae_lib/widgets/controls.js).
const page = document.documentElement;
let theme = ""; // of the screen, while the page is on paper

function toPaper() {
  theme ||= page.dataset.theme ?? "";
  page.dataset.theme = "light";
  fitFormulas();
}

function toScreen() {
  if (theme) page.dataset.theme = theme;
  theme = "";
}

addEventListener("beforeprint", toPaper);
addEventListener("afterprint", toScreen);
matchMedia("print").addEventListener("change", ({ matches }) => (matches ? toPaper() : toScreen()));
