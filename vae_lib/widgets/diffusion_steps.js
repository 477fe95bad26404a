// Points that run into noise and back, a step at a time; arrows of the score; the bound's terms.

import {
  announcer, button, cleanups, colour, fixed, h, listen, press, readings, send, slider, stopAtReset,
} from "./controls.js";
import { SEEDS, withFoot } from "./foot.js";
import { doublesOf, floatsOf, normalDraws, readMlp, runMlp, wholeWithin } from "./maths.js";
import { dot, plane } from "./plane.js";

/**
 * @import {
 *   Binary, Canvas, Context, Layer, Model, Movable, Pair, Spec, ToPixels, Undo, Values,
 * } from "./types.d.ts"
 * @typedef {{
 *   network: Spec, weights: Binary, alpha_bar: Binary, points: Binary, terms: Binary, t: number,
 *   backwards: boolean, noise_seed: number,
 * }} Traits
 * @typedef {ReturnType<typeof diffusionFilm>} Film
 * @typedef {(x: number, y: number, t: number) => Pair} Noise
 */

const REACH = 2.8; // of the square that is shown
const ARROWS_ACROSS = 11;
const FOLLOWED = 5; // points whose way is drawn
const TAIL = 8; // so many steps of it
const TICK = 90; // milliseconds a step, while it plays
const PATIENCE = 40; // milliseconds of steps backwards before what is known so far is painted

/** @type {(context: Context<Traits>) => () => void} */
function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const film = diffusionFilm(model);
  const last = film.steps;
  const bars = termBars(doublesOf(model.get("terms")));
  const numbers = readings({ share: "variance left of the data, ᾱ", term: "this step's term" });
  const surface = filmPlane(model, film, undo);
  const controls = filmControls(model, film, undo);

  const follow = () => {
    const [t, backwards] = [film.now(), model.get("backwards")];
    controls.show(t, backwards);
    bars.mark(t);
    numbers.show({ share: fixed(film.share[t], 3), term: bars.told(t) });
    const told = `${backwards ? "Backwards" : "Forwards"}, step ${t} of ${last}`;
    surface.relabel(`${told}: ${model.get("points").byteLength / 8} points, and arrows of the score`);
    surface.repaint();
    if (!controls.playing()) said.say(told);
  };
  listen(model, ["t", "backwards", "noise_seed"], follow, undo);

  const hint =
    "Arrows: the predicted score, in units of one over the noise. Lines: the last eight steps of " +
    "five points.";
  const side = h("div", { class: "vw-verdict" }, h("div", { class: "vw-caption" }, "Terms of the bound, t = 2 … T"));
  side.append(bars.root, numbers.root, h("p", { class: "vw-note" }, hint));
  const root = h("div", { class: "vw vw-film", role: "group", "aria-label": "Diffusion, step by step" });
  root.append(controls.ways, h("div", { class: "vw-flow" }, surface.root, side));
  root.append(controls.time, controls.bar, said.root);
  follow();
  el.append(root);
  return undo.run;
}

/** @type {(model: Model<Traits>, film: Film, undo: Undo) => ReturnType<typeof plane>} */
function filmPlane(model, film, undo) {
  const surface = plane({
    label: "",
    names: ["x₁", "x₂"],
    extent: [-REACH, REACH, -REACH, REACH],
    paint: (context, toPixels, size) => {
      const backwards = model.get("backwards");
      // A long way back is gone over several frames, so that the page can answer meanwhile.
      const t = backwards ? film.reach(film.now()) : film.now();
      if (t > 0) paintArrows(context, toPixels, size, film.arrows(t));
      paintDots(context, toPixels, size, film.dots(t, backwards));
      paintWays(context, toPixels, size, film, t, backwards);
      if (t !== film.now()) surface.repaint();
    },
    undo,
  });
  return surface;
}

/** @param {Model<Traits>} model @param {Film} film @param {Undo} undo */
function filmControls(model, { now, steps: last }, undo) {
  const play = player({
    next: () => {
      const t = now() + (model.get("backwards") ? -1 : 1);
      if (t < 0 || t > last) return false;
      send(model, { t });
      return true;
    },
    rewind: () => send(model, { t: model.get("backwards") ? last : 0 }),
    atEnd: () => now() === (model.get("backwards") ? 0 : last),
    undo,
  });
  stopAtReset(model, play.stop, undo);
  const time = slider({
    label: "step t",
    min: 0,
    max: last,
    step: 1,
    value: now(),
    format: (t) => `${t} of ${last}`,
    onInput: (t) => (play.stop(), send(model, { t })),
  });
  const ways = ["Forwards: data into noise", "Backwards: noise into data"].map((text, k) =>
    button(text, () => (play.stop(), send(model, { backwards: k === 1 }))),
  );
  const fresh = button("New noise", () => send(model, { noise_seed: model.get("noise_seed") + 1 }));
  /** @type {(t: number, backwards: boolean) => void} */
  const show = (t, backwards) => {
    time.set(t);
    press(ways, Number(backwards));
  };
  const [bar, ofWays] = [[play.root, fresh], ways].map((nodes) => h("div", { class: "vw-bar" }, ...nodes));
  return { ways: ofWays, time: time.root, bar, show, playing: play.playing };
}

// Where every point is at each step, forwards and backwards; worked out when it is asked for.
/** @param {Model<Traits>} model */
function diffusionFilm(model) {
  const share = doublesOf(model.get("alpha_bar"));
  const steps = share.length - 1;
  const data = floatsOf(model.get("points"));
  const noiseAt = noiseOf(readMlp(model.get("network"), model.get("weights")), share);
  const arrows = arrowField(noiseAt);
  let seed = NaN;
  let draws = normalDraws(0);
  /** @type {Float64Array[]} */
  let path = []; // the points at each step backwards, as far as they are known
  const gaussians = () => Float64Array.from(data, draws);
  const now = () => wholeWithin(model.get("t"), 0, steps);

  function startAgain() {
    if (seed === model.get("noise_seed")) return;
    seed = model.get("noise_seed");
    draws = normalDraws(seed);
    path = [];
    path[steps] = gaussians();
  }

  // Go back towards step t, for so many milliseconds; tells which step is reached.
  /** @type {(t: number, patience?: number) => number} */
  function reach(t, patience = PATIENCE) {
    startAgain();
    const until = performance.now() + patience;
    let at = t;
    while (!path[at]) at++;
    for (; at > t && performance.now() < until; at--) {
      path[at - 1] = stepBack(noiseAt, share, at, path[at], gaussians());
    }
    return at;
  }

  /** @type {(t: number, backwards: boolean) => Float32Array | Float64Array} */
  function dots(t, backwards) {
    startAgain();
    if (!backwards) return data.map((x, i) => Math.sqrt(share[t]) * x + Math.sqrt(1 - share[t]) * path[steps][i]);
    return path[reach(t, Infinity)];
  }
  return { share, steps, now, reach, dots, arrows };
}

// [x, y, across, up] of each arrow at a step: -ε̂, which is the score times √(1 - ᾱ_t).
/** @type {(noiseAt: Noise) => (t: number) => number[][]} */
function arrowField(noiseAt) {
  const ticks = Array.from({ length: ARROWS_ACROSS }, (_, k) => (2 * (k + 0.5)) / ARROWS_ACROSS - 1);
  const places = ticks.flatMap((x) => ticks.map((y) => [REACH * x, REACH * y]));
  /** @type {Map<number, number[][]>} */
  const fields = new Map();
  return (t) => {
    const field = fields.get(t) ?? places.map(([x, y]) => [x, y, ...noiseAt(x, y, t).map((e) => -e)]);
    fields.set(t, field);
    return field;
  };
}

// (x, y, t) -> ε̂ = √(1 - ᾱ_t) x_t + √ᾱ_t f(x_t, √ᾱ_t, √(1 - ᾱ_t)).
/** @type {(layers: Layer[], share: Values) => Noise} */
function noiseOf(layers, share) {
  const input = new Float32Array(4);
  return (x, y, t) => {
    const [signal, noise] = [Math.sqrt(share[t]), Math.sqrt(1 - share[t])];
    input.set([x, y, signal, noise]);
    const rest = runMlp(layers, input);
    return [noise * x + signal * rest[0], noise * y + signal * rest[1]];
  };
}

// x_{t-1} from x_t, points side by side; no noise in the last step.
/** @type {(noiseAt: Noise, share: Values, t: number, points: Values, eps: Values) => Float64Array} */
function stepBack(noiseAt, share, t, points, eps) {
  const [before, now] = [share[t - 1], share[t]];
  const beta = 1 - now / before;
  const a = (Math.sqrt(before) * beta) / (1 - now);
  const b = (Math.sqrt(now / before) * (1 - before)) / (1 - now);
  const scale = t > 1 ? Math.sqrt(beta) : 0;
  const next = new Float64Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    const noise = noiseAt(points[i], points[i + 1], t);
    for (let k = 0; k < 2; k++) {
      const x0 = (points[i + k] - Math.sqrt(1 - now) * noise[k]) / Math.sqrt(now);
      next[i + k] = a * x0 + b * points[i + k] + scale * eps[i + k];
    }
  }
  return next;
}

/** @type {(context: Canvas, toPixels: ToPixels, size: number, points: Values) => void} */
function paintDots(context, toPixels, size, points) {
  const radius = Math.max(size / 200, 1.8);
  context.fillStyle = colour(context.canvas, "--vw-accent");
  context.globalAlpha = 0.75;
  for (let i = 0; i < points.length; i += 2) dot(context, ...toPixels([points[i], points[i + 1]]), radius);
  context.globalAlpha = 1;
}

/** @type {(context: Canvas, toPixels: ToPixels, size: number, arrows: number[][]) => void} */
function paintArrows(context, toPixels, size, arrows) {
  const cell = (2 * REACH) / ARROWS_ACROSS;
  context.strokeStyle = context.fillStyle = colour(context.canvas, "--vw-prior");
  context.lineWidth = Math.max(size / 350, 1);
  for (const [x, y, across, up] of arrows) {
    const scale = (0.45 * cell) / Math.max(1.5, Math.hypot(across, up));
    const [tail, head] = [toPixels([x, y]), toPixels([x + scale * across, y + scale * up])];
    context.beginPath();
    context.moveTo(...tail);
    context.lineTo(...head);
    context.stroke();
    arrowhead(context, tail, head, size / 90);
  }
}

/** @type {(context: Canvas, tail: Pair, head: Pair, length: number) => void} */
function arrowhead(context, [x0, y0], [x1, y1], length) {
  const along = Math.hypot(x1 - x0, y1 - y0);
  if (along < length / 2) return; // too short to point anywhere
  const [dx, dy] = [((x1 - x0) / along) * length, ((y1 - y0) / along) * length];
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x1 - dx - dy / 2, y1 - dy + dx / 2);
  context.lineTo(x1 - dx + dy / 2, y1 - dy - dx / 2);
  context.fill();
}

// The last steps of a few points.
/**
 * @type {(
 *   context: Canvas, toPixels: ToPixels, size: number, film: Film, t: number, backwards: boolean,
 * ) => void}
 */
function paintWays(context, toPixels, size, film, t, backwards) {
  context.strokeStyle = context.fillStyle = colour(context.canvas, "--vw-q");
  context.lineWidth = Math.max(size / 220, 1.5);
  const past = Math.min(TAIL, backwards ? film.steps - t : t);
  const way = Array.from({ length: past + 1 }, (_, k) => film.dots(t + (past - k) * (backwards ? 1 : -1), backwards));
  for (let i = 0; i < 2 * FOLLOWED && i < way[0].length; i += 2) {
    context.beginPath();
    way.forEach((points) => context.lineTo(...toPixels([points[i], points[i + 1]])));
    context.stroke();
    const now = way[past];
    dot(context, ...toPixels([now[i], now[i + 1]]), Math.max(size / 90, 3.5));
  }
}

// A bar for each divergence of the bound; that of the present step is marked.
/** @param {Float64Array} terms */
function termBars(terms) {
  const inner = Array.from(terms.slice(1, -1)); // t = 2 … T
  const top = Math.max(...inner, 1e-9);
  const bars = inner.map((term) => h("i", { style: `height: ${(100 * Math.max(term, 0)) / top}%` }));
  const label = `terms of the bound, from t = 2 to ${inner.length + 1}; the largest is ${fixed(top)} nats`;
  return {
    root: h("div", { class: "vw-terms", role: "img", "aria-label": label }, ...bars),
    mark: (/** @type {number} */ t) => bars.forEach((bar, k) => bar.classList.toggle("vw-now", k + 2 === t)),
    told: (/** @type {number} */ t) => (t ? `${fixed(terms[t - 1], 3)} nats` : "–"),
  };
}

// A button that plays and pauses. Where the reader wants no motion it goes to the end at once.
/** @param {{ next: () => boolean, rewind: () => void, atEnd: () => boolean, undo: Undo }} options */
function player({ next, rewind, atEnd, undo }) {
  let timer = 0;
  const root = button("Play", () => (timer ? stop() : start()));
  const stop = () => {
    clearTimeout(timer);
    timer = 0;
    root.textContent = "Play";
  };
  const tick = () => {
    if (next()) timer = setTimeout(tick, TICK);
    else stop();
  };
  function start() {
    if (atEnd()) rewind();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      while (next());
      return;
    }
    root.textContent = "Pause";
    timer = setTimeout(tick, TICK);
  }
  undo.add(stop);
  return { root, stop, playing: () => timer !== 0 };
}

// What a link may set.
/** @type {(model: Model<Traits>) => Movable<Traits>} */
const movable = (model) => ({
  t: { whole: [0, doublesOf(model.get("alpha_bar")).length - 1] },
  backwards: { flag: true },
  noise_seed: { whole: SEEDS },
});

export default { render: withFoot("diffusion-steps", movable, render) };
