// What a link to an equation, a work or an entry of the library's reference leads to, beside the
// link while it is pointed at or has the focus; and the entry of a symbol that the notation page
// explains, while it is pointed at (see book_site/symbols.py). Pages of a folder may not be read by a
// script: what stands on another page is not shown there.

const LINKS = 'a[href*="#equation-"]:not(.headerlink), a[href*="references.html#"], a.to-library';
const SHOWN = `${LINKS}, .math[data-symbol]`;
const WAIT = 250; // milliseconds that a pointer rests before anything appears
/** @type {Map<string, Promise<Document | null>>} */
const pages = new Map(); // by address

const box = document.createElement("div");
Object.assign(box, { className: "book-preview", id: "book-preview", hidden: true });
box.setAttribute("role", "tooltip");
/** @type {HTMLElement | null} */
let link = null; // or symbol, that is shown
let timer = 0;

/** @type {(address: string) => Promise<Document | null>} */
async function pageAt(address) {
  if (address === location.href.split("#")[0]) return document;
  const page = pages.get(address) ?? readPage(address);
  pages.set(address, page);
  return page;
}

/** @type {(address: string) => Promise<Document | null>} */
async function readPage(address) {
  const answer = await fetch(address).catch(() => null);
  if (answer?.ok) return new DOMParser().parseFromString(await answer.text(), "text/html");
  pages.delete(address); // another time it may be there
  return null;
}

// A copy of what a link leads to, without names that would then stand on the page twice.
/** @type {(url: URL) => Promise<Element[] | null>} */
async function copyOf(url) {
  const page = await pageAt(url.href.split("#")[0]).catch(() => null);
  const goal = page?.getElementById(decodeURIComponent(url.hash.slice(1)));
  if (!goal) return null;
  const entry = goal.matches("dt"); // of the library: its name, and the first that is said of it
  const told = entry ? goal.nextElementSibling?.querySelector("p") : goal;
  /** @type {Element[]} */
  const copies = told ? [bare(document.importNode(told, true))] : [];
  const name = entry && goal.querySelector(".sig-name")?.textContent;
  if (name) copies.unshift(Object.assign(document.createElement("code"), { textContent: name }));
  return copies;
}

// The rows of the notation page that explain a symbol, each in a paragraph.
/** @type {(numbers: string) => Promise<Element[] | null>} */
async function entriesOf(numbers) {
  const root = document.documentElement.dataset.content_root ?? "./";
  const page = await pageAt(new URL(`${root}book/notation.html`, document.baseURI).href).catch(() => null);
  const rows = page?.querySelectorAll("#symbols tbody tr") ?? [];
  const told = numbers.split(" ").flatMap((number) => rows[Number(number)] ?? []);
  return told.length ? told.map((row) => bare(entryIn(document.importNode(row, true)))) : null;
}

/** @type {(row: Element) => Element} */
function entryIn(row) {
  const [symbol, , meaning] = row.querySelectorAll("td");
  const entry = document.createElement("p");
  entry.append(...symbol.childNodes, ": ", ...meaning.childNodes);
  entry.querySelectorAll("p").forEach((node) => node.replaceWith(...node.childNodes));
  return entry;
}

/** @type {<E extends Element>(copy: E) => E} */
function bare(copy) {
  copy.removeAttribute("id");
  copy.querySelectorAll(".headerlink").forEach((node) => node.remove());
  copy.querySelectorAll("[id]").forEach((node) => node.removeAttribute("id"));
  copy.querySelectorAll("a").forEach((node) => node.replaceWith(...node.childNodes));
  return copy;
}

/** @type {(link: Element) => void} */
function place(link) {
  const [at, size] = [link.getBoundingClientRect(), box.getBoundingClientRect()];
  const left = Math.min(Math.max(at.left, 8), innerWidth - size.width - 8);
  const above = at.top - size.height - 8;
  box.style.left = `${Math.max(left, 8)}px`;
  box.style.top = `${above > 60 ? above : at.bottom + 8}px`;
}

/** @type {(next: HTMLElement) => Promise<void>} */
async function show(next) {
  link = next;
  const copies = await (next instanceof HTMLAnchorElement
    ? copyOf(new URL(next.href))
    : entriesOf(next.dataset.symbol ?? ""));
  if (!copies || link !== next) return;
  box.replaceChildren(...copies);
  box.hidden = false;
  place(next);
  next.setAttribute("aria-describedby", box.id);
}

function hide() {
  clearTimeout(timer);
  link?.removeAttribute("aria-describedby");
  link = null;
  box.hidden = true;
}

/** @type {(event: Event) => HTMLElement | null} */
const linkOf = ({ target }) =>
  target instanceof Element ? target.closest(`article :is(${SHOWN})`) : null;
document.body.append(box);
document.addEventListener("pointerover", (event) => {
  const over = linkOf(event);
  if (event.pointerType === "touch" || over === link) return;
  hide();
  if (over) timer = setTimeout(show, WAIT, over);
});
document.addEventListener("focusin", (event) => {
  const focused = linkOf(event);
  if (focused?.matches(":focus-visible")) show(focused);
  else if (focused !== link) hide();
});
document.addEventListener("focusout", hide);
addEventListener("scroll", hide, { passive: true });
addEventListener("keydown", (event) => event.key === "Escape" && hide());
