// Draw a digit; the encoder gives q(z|x); a z from it is decoded.

import {
  announcer, button, classLegend, cleanups, digitAt, digitRow, digitTile, figure, fixed, frame, h,
  KEYS_ARE_MINE, listen, readings, send, tuple,
} from "./controls.js";
import {
  bernoulliNll, bytesOf, clamp, floatsOf, klToStandardNormal, normalDraws, RADIUS_95, readMlp,
  runMlp, sigmoid,
} from "./maths.js";
import { ARROWS, paintCodes, plane } from "./plane.js";

const PEN = 1.4; // radius of the pen, in pixels of the 28x28 image
const SIDE = 28; // of the image, in pixels
const PIXELS = SIDE * SIDE;
const CENTRE = 14.5; // where MNIST has a digit's centre of mass, in pixels from the edge

// Ink of round-capped lines on the 28x28 grid, with edges one pixel soft. Each stroke is a list
// of [x, y] in pixels, which are placed at scale * point + shift first.
function inkOf(strokes, scale = 1, shift = [0, 0]) {
  const ink = new Float32Array(PIXELS);
  for (const stroke of strokes) {
    const points = stroke.map(([x, y]) => [scale * x + shift[0], scale * y + shift[1]]);
    points.forEach((to, i) => inkSegment(ink, points[Math.max(i - 1, 0)], to));
  }
  return ink;
}

function inkSegment(ink, [ax, ay], [bx, by]) {
  const reach = PEN + 1;
  const [dx, dy] = [bx - ax, by - ay];
  const squared = dx * dx + dy * dy || 1;
  const first = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - reach));
  const last = (a, b) => Math.min(SIDE - 1, Math.ceil(Math.max(a, b) + reach));
  for (let row = first(ay, by); row <= last(ay, by); row++) {
    for (let column = first(ax, bx); column <= last(ax, bx); column++) {
      const [px, py] = [column + 0.5 - ax, row + 0.5 - ay];
      const t = clamp((px * dx + py * dy) / squared, 0, 1);
      const distance = Math.hypot(px - t * dx, py - t * dy);
      const level = clamp(PEN + 0.5 - distance, 0, 1);
      const at = SIDE * row + column;
      if (level > ink[at]) ink[at] = level;
    }
  }
}

// What MNIST did to its digits: fit them in a 20x20 box, then put the centre of mass in the
// middle of the 28x28 image. A dot is not blown up to fill the box.
function likeMnist(strokes) {
  const points = strokes.flat();
  if (!points.length) return new Float32Array(PIXELS);
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = Math.min((20 - 2 * PEN) / Math.max(right - left, bottom - top, 1e-6), 3);
  const shift = [CENTRE - (scale * (left + right)) / 2, CENTRE - (scale * (top + bottom)) / 2];
  const [x, y] = centreOfMass(inkOf(strokes, scale, shift));
  return inkOf(strokes, scale, [shift[0] + CENTRE - x, shift[1] + CENTRE - y]);
}

function centreOfMass(ink) {
  let [mass, x, y] = [0, 0, 0];
  ink.forEach((level, i) => {
    mass += level;
    x += level * ((i % SIDE) + 0.5);
    y += level * (Math.floor(i / SIDE) + 0.5);
  });
  return [x / mass, y / mass];
}

// The white square to draw on. `onDraw(strokes)` hears every change made by the reader.
function drawingBoard(onDraw, announce, undo) {
  const canvas = h("canvas", {
    class: "vw-board",
    role: "application",
    tabindex: "0",
    "aria-roledescription": "drawing board",
    "aria-label": "Drawing board. Arrow keys move the pen, Space puts it down or lifts it.",
    ...KEYS_ARE_MINE,
  });
  let strokes = [];
  let shown = null; // an image to show instead of strokes
  let pen = [14, 14];
  let down = false; // the keyboard's pen

  const paint = frame(() => {
    const size = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
    if (!size) return;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const context = canvas.getContext("2d");
    const unit = size / SIDE;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, size, size);
    if (shown) paintPixels(context, shown, unit);
    context.strokeStyle = "#000";
    context.lineWidth = 2 * PEN * unit;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of strokes) {
      context.beginPath();
      context.moveTo(stroke[0][0] * unit, stroke[0][1] * unit + 0.01); // so that a dot shows
      stroke.forEach(([x, y]) => context.lineTo(x * unit, y * unit));
      context.stroke();
    }
    if (canvas.matches(":focus-visible")) paintPen(context, unit);
  });

  function paintPen(context, unit) {
    context.beginPath();
    context.arc(pen[0] * unit, pen[1] * unit, 1.6 * unit, 0, 2 * Math.PI);
    context.lineWidth = 2 * (window.devicePixelRatio || 1);
    context.strokeStyle = down ? "#b4490a" : "#0b5cad";
    context.stroke();
  }

  function begin(point) {
    if (shown) [shown, strokes] = [null, []];
    strokes.push([point]);
    changed();
  }
  function extend(point) {
    strokes.at(-1).push(point);
    changed();
  }
  function changed() {
    paint();
    onDraw(strokes);
  }

  const where = (event) => {
    const box = canvas.getBoundingClientRect();
    const inside = (v) => clamp(SIDE * v, 0, SIDE);
    return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    canvas.focus({ preventScroll: true });
    down = false;
    begin((pen = where(event)));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const move of moves.length ? moves : [event]) extend((pen = where(move)));
  });
  canvas.addEventListener("keydown", (event) => {
    const [dx, dy] = ARROWS[event.key] ?? [0, 0];
    if ((!dx && !dy && event.key !== " ") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === " ") {
      down = !down;
      if (down) begin(pen);
      announce(down ? "Pen down" : "Pen up");
    } else {
      const step = event.shiftKey ? 3 : 1;
      pen = [clamp(pen[0] + dx * step, 1, SIDE - 1), clamp(pen[1] - dy * step, 1, SIDE - 1)];
      if (down) extend(pen);
      else announce(`Pen at column ${Math.round(pen[0])}, row ${Math.round(pen[1])}`);
    }
    paint();
  });
  canvas.addEventListener("focus", paint);
  canvas.addEventListener("blur", paint);

  const observer = new ResizeObserver(paint);
  observer.observe(canvas);
  undo.add(() => (observer.disconnect(), paint.cancel()));
  const show = (image) => {
    [shown, strokes, down] = [image, [], false];
    paint();
  };
  return { canvas, show };
}

function paintPixels(context, image, unit) {
  image.forEach((level, i) => {
    const grey = Math.round(255 * (1 - level));
    context.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
    const [x, y] = [(i % SIDE) * unit, Math.floor(i / SIDE) * unit];
    if (level) context.fillRect(Math.floor(x), Math.floor(y), Math.ceil(unit), Math.ceil(unit));
  });
}

// ---- the first minute ----------------------------------------------------------------------

const GUIDE_SEEN = "vae-book-draw-digit-guide"; // in the browser's storage, once it has been seen

function guideWasSeen() {
  try {
    return localStorage.getItem(GUIDE_SEEN) !== null;
  } catch {
    return false; // where a page may store nothing
  }
}

function rememberGuide() {
  try {
    localStorage.setItem(GUIDE_SEEN, "1");
  } catch {
    // it is shown again, then
  }
}

// A few steps, each a text and the nodes that it points at. Shown to whoever has not seen it yet,
// and whenever the button `again` is pressed.
function guide(steps, say, undo) {
  let step = -1; // none
  const count = h("span", { class: "vw-number" });
  const text = h("p", {});
  const turn = (to) => {
    go(to);
    if (step < 0) return;
    // All that the step speaks of, as far as it fits, and the first of it in any case.
    [...steps[step].nodes].reverse().forEach((node) => node.scrollIntoView({ block: "nearest" }));
    say(`${count.textContent}: ${text.textContent}`);
  };
  const back = button("Back", () => turn(step - 1));
  const next = button("Next", () => turn(step + 1));
  const skip = button("Skip", () => turn(steps.length));
  const again = button("Guide me", () => (turn(0), next.focus()));
  const root = h(
    "div",
    { class: "vw-guide", role: "group", "aria-label": "Guide to this figure", ...KEYS_ARE_MINE },
    count,
    text,
    h("div", { class: "vw-bar" }, back, next, skip),
  );
  root.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") go(steps.length);
  });

  function go(to) {
    const left = root.contains(document.activeElement);
    steps[step]?.nodes.forEach((node) => node.classList.remove("vw-pointed"));
    step = to < steps.length ? to : -1;
    root.hidden = step < 0;
    again.hidden = step >= 0;
    if (step < 0) {
      rememberGuide();
      if (left) again.focus(); // and not nowhere
      return;
    }
    count.textContent = `${step + 1} of ${steps.length}`;
    text.textContent = steps[step].text;
    steps[step].nodes.forEach((node) => node.classList.add("vw-pointed"));
    if (step === 0 && document.activeElement === back) next.focus(); // a button that is off hears no key
    back.disabled = step === 0;
    next.textContent = step === steps.length - 1 ? "Done" : "Next";
    skip.style.visibility = step === steps.length - 1 ? "hidden" : ""; // its room stays: nothing moves
  }

  // It has been seen when it has been on the screen, whatever the reader then does.
  const observer = new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting) rememberGuide();
  });
  observer.observe(root);
  undo.add(() => observer.disconnect());
  go(guideWasSeen() ? steps.length : 0);
  return { root, again };
}

function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const draws = normalDraws(model.get("seed"));
  let encoder, decoder, codes, labels, samples, row;
  let zoomed = false;
  let chosen = -1; // the class brought forward
  let own = null; // the image this view has just sent

  const sendImage = (ink) => {
    own = Uint8Array.from(ink, (level) => Math.round(255 * level));
    send(model, { image: new DataView(own.buffer) });
  };
  const board = drawingBoard((strokes) => sendImage(likeMnist(strokes)), said.say, undo);
  const pick = (i) => {
    sendImage(digitAt(samples, i, PIXELS));
    board.show(digitAt(samples, i, PIXELS));
    row.choose(i);
  };
  const clear = () => {
    board.show(null);
    sendImage(new Float32Array(PIXELS));
  };

  const [seen, decoded] = [digitTile(SIDE), digitTile(SIDE)];
  const surface = plane({
    label: "Latent plane",
    names: ["z₁", "z₂"],
    extent: model.get("extent"),
    paint: (context, toPixels, size) => paintCodes(context, toPixels, size, codes, labels, chosen),
    undo,
  });
  const drawRing = surface.ellipse({ class: "vw-ring" });
  const drawQ = surface.ellipse({ class: "vw-q-area" });
  const [placeMu, placeZ] = [surface.sign("vw-mu"), surface.sign("vw-z")];
  const numbers = readings({
    mu: "μ",
    sigma: "σ",
    eps: "ε",
    z: "z = μ + σ ε",
    kl: "KL(q(z|x) ‖ p(z))",
    nll: "−log p(x|z)",
  });
  numbers.root.classList.add("vw-wide");

  const zoom = button("Zoom in on q(z|x)", () => {
    zoomed = !zoomed;
    zoom.setAttribute("aria-pressed", String(zoomed));
    work();
  }, { "aria-pressed": "false" });
  const legend = classLegend((digit) => {
    chosen = digit;
    surface.repaint();
  });

  // Everything follows from the image and ε.
  const work = frame(() => {
    const ink = bytesOf(model.get("image"));
    const grey = (level) => (model.get("binarise") ? Number(level > 127) : level / 255);
    const x = Float32Array.from(ink, grey);
    const empty = x.every((level) => level === 0);
    root.classList.toggle("vw-empty", empty);
    seen.paint(x);
    seen.describe(empty ? "nothing drawn yet" : "x, the digit as the encoder gets it");
    if (empty) showNothing();
    else showCode(x);
  });

  function showNothing() {
    decoded.paint(new Float32Array(PIXELS));
    decoded.describe("nothing decoded yet");
    numbers.show({ mu: "–", sigma: "–", eps: "–", z: "–", kl: "–", nll: "–" });
    placeAll([0, 0], [1, 1], [0, 0]);
  }

  function showCode(x) {
    const parameters = Array.from(runMlp(encoder, x));
    const [mu, logvar] = [parameters.slice(0, 2), parameters.slice(2)];
    const sigma = logvar.map((v) => Math.exp(v / 2));
    const eps = model.get("eps");
    const z = mu.map((m, i) => m + sigma[i] * eps[i]);
    const logits = runMlp(decoder, Float32Array.from(z));
    decoded.paint(logits, sigmoid);
    decoded.describe(`the digit decoded from z = ${tuple(z)}`);
    const [kl, nll] = [klToStandardNormal(mu, logvar), bernoulliNll(x, logits)];
    numbers.show({
      mu: tuple(mu),
      sigma: tuple(sigma),
      eps: tuple(eps),
      z: tuple(z),
      kl: `${fixed(kl, 1)} nats`,
      nll: `${fixed(nll, 1)} nats`,
    });
    placeAll(mu, sigma, z);
    said.say(`z = ${tuple(z)}, KL ${fixed(kl, 1)} nats, minus log p of x given z ${fixed(nll, 1)} nats`);
    if (String(z) !== String(model.get("z"))) send(model, { mu, logvar, z });
  }

  function placeAll(mu, sigma, z) {
    const reach = Math.max(4 * Math.max(...sigma), Math.abs(z[0] - mu[0]), Math.abs(z[1] - mu[1]));
    surface.setExtent(
      zoomed
        ? [mu[0] - reach, mu[0] + reach, mu[1] - reach, mu[1] + reach]
        : model.get("extent"),
    );
    drawRing([0, 0], [RADIUS_95, RADIUS_95]);
    drawQ(mu, sigma.map((s) => RADIUS_95 * s));
    placeMu(mu);
    placeZ(z);
    surface.relabel(`Latent plane: q(z|x) has mean ${tuple(mu)} and standard deviations ${tuple(sigma)}`);
  }

  function load() {
    encoder = readMlp(model.get("encoder"), model.get("encoder_weights"));
    decoder = readMlp(model.get("decoder"), model.get("decoder_weights"));
    codes = floatsOf(model.get("codes"));
    labels = bytesOf(model.get("labels"));
    legend.hidden = labels.length === 0;
    surface.repaint();
    work();
  }

  // Python, or another view, has set the image: show it on the board.
  function follow() {
    const ink = bytesOf(model.get("image"));
    if (!own || !sameBytes(ink, own)) board.show(digitAt(ink, 0, PIXELS));
    row.choose(samples.length ? indexOf(samples, ink) : -1);
    work();
  }

  const setEps = (eps) => send(model, { eps });
  samples = bytesOf(model.get("samples"));
  row = digitRow(samples, PIXELS, "Held-out digits to load", pick);
  const sample = button("Sample z again", () => setEps([draws(), draws()]));
  const firstMinute = guide(
    [
      {
        text:
          "Draw a digit on the board, or load one below it. With a keyboard: Tab to the board, then arrow " +
          "keys to move the pen and Space to put it down.",
        nodes: [board.canvas],
      },
      {
        text:
          "The cross on the plane is μ, where the encoder puts your digit. The dots around it are " +
          "digits that it puts near by. Draw on, and the cross moves.",
        nodes: [surface.root, surface.root.querySelector(".vw-mu")],
      },
      {
        text:
          "The shaded ellipse shows σ: of all draws from q(z|x), 95 % fall inside. It is small, so zoom " +
          "in to see it, and see whether it grows for a scribble.",
        nodes: [surface.root, surface.root.querySelector(".vw-q-area"), zoom],
      },
      {
        text:
          "Press “Sample z again”. The spot is a new z = μ + σ ε, and the decoder draws it. A small σ " +
          "leaves z near μ, and the decoded digit nearly as it was.",
        nodes: [sample, decoded.canvas],
      },
    ],
    said.say,
    undo,
  );
  const tools = h("div", { class: "vw-bar" }, button("Clear", clear), firstMinute.again);
  const sampling = h(
    "div",
    { class: "vw-bar" },
    sample,
    button("z = μ", () => setEps([0, 0])),
    zoom,
  );
  const root = h(
    "div",
    { class: "vw", role: "group", "aria-label": "Draw a digit" },
    firstMinute.root,
    h("div", { class: "vw-desk" },
      h("div", { class: "vw-figure vw-drawing" }, h("div", { class: "vw-caption" }, "Draw a digit"), board.canvas, tools),
      h("div", { class: "vw-figure vw-middle" }, h("div", { class: "vw-caption" }, "q(z|x) on the latent plane"), surface.root, sampling),
      h("div", { class: "vw-tiles" }, figure("x", seen.canvas), figure("decoded", decoded.canvas)),
    ),
    numbers.root,
    legend,
    h("p", { class: "vw-note" }, "Or load a held-out digit:"),
    row.root,
    h("p", { class: "vw-note" },
      "With a keyboard: focus the board, move the pen with the arrow keys, and press Space to put it down or lift it."),
    said.root,
  );
  listen(model, ["encoder", "encoder_weights", "decoder", "decoder_weights", "codes", "labels"], load, undo);
  listen(model, ["image"], follow, undo);
  listen(model, ["eps", "binarise", "extent"], work, undo);
  undo.add(work.cancel);
  load();
  follow();
  el.append(root);
  return undo.run;
}

// Which of the samples an image is; -1 if none.
function indexOf(samples, image) {
  for (let i = 0; i < samples.length / PIXELS; i++) {
    if (sameBytes(image, samples.subarray(PIXELS * i, PIXELS * (i + 1)))) return i;
  }
  return -1;
}

function sameBytes(a, b) {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

export default { render };
