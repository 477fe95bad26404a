// A VAE that is trained by hand-written backpropagation and Adam. With what it imports, this file is
// the text of a Web Worker; it touches no page. Checked against torch in tests/widgets.
//
// Encoder 196-64-(2 + 2), decoder 2-64-196, SiLU, Bernoulli pixels: VAE(2, (64,), shape=(14, 14)).
// Numbers are doubles. A weight matrix is stored [outputs, inputs] row by row, but for the first,
// which is [inputs, outputs]: a digit of black and white pixels adds up the rows of its black ones.

import { klToStandardNormal, normalDraws, sigmoid, softplus, uniformDraws } from "./maths.js";
import { epochOf, TRAIN } from "./training_set.js";

/**
 * @import { Draws, Pair, Values } from "./types.d.ts"
 * @import { Drawings, Look, Message, Report, Settings } from "./training.d.ts"
 * @typedef {"w1" | "b1" | "w2" | "b2" | "w3" | "b3" | "w4" | "b4"} Name
 * @typedef {Record<Name, Float64Array>} Tensors
 * @typedef {Record<Name, Float32Array>} Tensors32
 * @typedef {ReturnType<typeof traces>} Trace
 * @typedef {{ m: Tensors, v: Tensors, steps: number }} Adam
 * @typedef {{
 *   beta: number, prior: boolean, uniform: Draws, normal: Draws, p: Tensors, g: Tensors, adam: Adam,
 *   train: Uint8Array, order: Uint16Array, held: number[][], heldNoise: Float64Array,
 *   drawn: Float64Array, trace: Trace, epoch: number, trained: Pair | null, past: Tensors32[],
 * }} Run
 */

const PIXELS = 196;
const HIDDEN = 64;
const BATCH = 50;
const HELD = 1000;
const RATE = 3e-3;
const SHOWN = 10; // digits that are copied, and digits that are drawn
/** @type {Record<Name, Pair>} */
const SIZES = {
  w1: [PIXELS * HIDDEN, PIXELS],
  b1: [HIDDEN, PIXELS],
  w2: [4 * HIDDEN, HIDDEN],
  b2: [4, HIDDEN],
  w3: [HIDDEN * 2, 2],
  b3: [HIDDEN, 2],
  w4: [PIXELS * HIDDEN, HIDDEN],
  b4: [PIXELS, HIDDEN],
};

const NAMES = /** @type {Name[]} */ (Object.keys(SIZES));

/** @type {() => Tensors} */
function zeros() {
  const arrays = Object.entries(SIZES).map(([name, [size]]) => [name, new Float64Array(size)]);
  return Object.fromEntries(arrays);
}

// First weights and biases, uniform within 1 / sqrt(inputs), as torch's nn.Linear has them.
/** @type {(uniform: Draws) => Tensors} */
function firstWeights(uniform) {
  const weights = zeros();
  for (const name of NAMES) {
    const reach = 1 / Math.sqrt(SIZES[name][1]);
    for (let i = 0; i < weights[name].length; i++) weights[name][i] = reach * (2 * uniform() - 1);
  }
  return weights;
}

// What one example leaves on its way, for the way back.
const traces = () => ({
  a1: new Float64Array(HIDDEN),
  h1: new Float64Array(HIDDEN),
  q: new Float64Array(4), // mu, then log sigma^2
  z: new Float64Array(2),
  a2: new Float64Array(HIDDEN),
  h2: new Float64Array(HIDDEN),
  logits: new Float64Array(PIXELS),
  dh: new Float64Array(HIDDEN),
});

/** @type {(from: Float64Array, to: Float64Array) => void} */
function silu(from, to) {
  for (let j = 0; j < HIDDEN; j++) to[j] = from[j] / (1 + Math.exp(-from[j]));
}

// Turn slopes at SiLU's output into slopes at its input.
/** @type {(input: Float64Array, slopes: Float64Array) => void} */
function siluBack(input, slopes) {
  for (let j = 0; j < HIDDEN; j++) {
    const s = 1 / (1 + Math.exp(-input[j]));
    slopes[j] *= s + input[j] * s * (1 - s);
  }
}

/** @type {(weight: Float64Array, bias: Float64Array, input: Values, output: Float64Array) => void} */
function matrix(weight, bias, input, output) {
  for (let row = 0, at = 0; row < output.length; row++) {
    let sum = bias[row];
    for (let i = 0; i < input.length; i++) sum += weight[at++] * input[i];
    output[row] = sum;
  }
}

// x: the places of the black pixels. Gives mu and log sigma^2 in trace.q.
/** @type {(p: Tensors, x: number[], trace: Trace) => void} */
function encode(p, x, trace) {
  trace.a1.set(p.b1);
  for (const pixel of x) {
    const at = pixel * HIDDEN;
    for (let j = 0; j < HIDDEN; j++) trace.a1[j] += p.w1[at + j];
  }
  silu(trace.a1, trace.h1);
  matrix(p.w2, p.b2, trace.h1, trace.q);
}

/** @type {(p: Tensors, z: Values, trace: Trace) => void} */
function decode(p, z, trace) {
  matrix(p.w3, p.b3, z, trace.a2);
  silu(trace.a2, trace.h2);
  matrix(p.w4, p.b4, trace.h2, trace.logits);
}

// -log p(x|z) at the logits that are there.
/** @type {(x: number[], logits: Values) => number} */
function reconstructionTerm(x, logits) {
  let sum = 0;
  for (let i = 0; i < PIXELS; i++) sum += softplus(logits[i]);
  for (const pixel of x) sum -= logits[pixel];
  return sum;
}

// [nll, kl] of one example: z = mu + sigma eps, or z = mu where there is no prior.
/** @type {(p: Tensors, x: number[], eps: Values, prior: boolean, trace: Trace) => Pair} */
function forward(p, x, eps, prior, trace) {
  encode(p, x, trace);
  const { q, z } = trace;
  for (let d = 0; d < 2; d++) z[d] = q[d] + (prior ? Math.exp(0.5 * q[2 + d]) * eps[d] : 0);
  decode(p, z, trace);
  const kl = prior ? klToStandardNormal(q.subarray(0, 2), q.subarray(2)) : 0;
  return [reconstructionTerm(x, trace.logits), kl];
}

// Add an outer product to a gradient, and carry slopes back through the weights.
/**
 * @param {Float64Array} weight
 * @param {Values} slopes
 * @param {Values} input
 * @param {Float64Array} gradient
 * @param {Float64Array} biasGradient
 * @param {Float64Array | number[]} [inputSlopes]
 */
function layerBack(weight, slopes, input, gradient, biasGradient, inputSlopes) {
  inputSlopes?.fill(0);
  for (let row = 0, at = 0; row < slopes.length; row++, at += input.length) {
    const slope = slopes[row];
    biasGradient[row] += slope;
    for (let i = 0; i < input.length; i++) {
      gradient[at + i] += slope * input[i];
      if (inputSlopes) inputSlopes[i] += slope * weight[at + i];
    }
  }
}

// Add the gradient of nll + beta kl of one example, after forward() has left its traces.
/**
 * @type {(
 *   p: Tensors, x: number[], eps: Values, beta: number, prior: boolean, trace: Trace, g: Tensors,
 * ) => void}
 */
function backward(p, x, eps, beta, prior, trace, g) {
  const { q, dh, logits } = trace;
  for (let i = 0; i < PIXELS; i++) logits[i] = sigmoid(logits[i]); // minus x: the slope at the logit
  for (const pixel of x) logits[pixel] -= 1;
  layerBack(p.w4, logits, trace.h2, g.w4, g.b4, dh);
  siluBack(trace.a2, dh);
  const dz = [0, 0];
  layerBack(p.w3, dh, trace.z, g.w3, g.b3, dz);
  const dq = [dz[0], dz[1], 0, 0];
  for (let d = 0; prior && d < 2; d++) {
    const variance = Math.exp(q[2 + d]);
    dq[d] += beta * q[d];
    dq[2 + d] = 0.5 * (dz[d] * Math.sqrt(variance) * eps[d] + beta * (variance - 1));
  }
  layerBack(p.w2, dq, trace.h1, g.w2, g.b2, dh);
  siluBack(trace.a1, dh);
  for (let j = 0; j < HIDDEN; j++) g.b1[j] += dh[j];
  for (const pixel of x) {
    const at = pixel * HIDDEN;
    for (let j = 0; j < HIDDEN; j++) g.w1[at + j] += dh[j];
  }
}

// One step of Adam (Kingma and Ba, 2015) with the mean of `count` gradients, which are then cleared.
/** @type {(p: Tensors, g: Tensors, state: Adam, count: number, rate?: number) => void} */
function adamStep(p, g, state, count, rate = RATE) {
  state.steps += 1;
  const [fade1, fade2] = [1 - 0.9 ** state.steps, 1 - 0.999 ** state.steps];
  for (const name of NAMES) {
    const [values, slopes, m, v] = [p[name], g[name], state.m[name], state.v[name]];
    for (let i = 0; i < values.length; i++) {
      const slope = slopes[i] / count;
      m[i] = 0.9 * m[i] + 0.1 * slope;
      v[i] = 0.999 * v[i] + 0.001 * slope * slope;
      values[i] -= (rate * (m[i] / fade1)) / (Math.sqrt(v[i] / fade2) + 1e-8);
      slopes[i] = 0;
    }
  }
}

/** @type {() => Adam} */
const adamState = () => ({ m: zeros(), v: zeros(), steps: 0 });

// ---- a run ---------------------------------------------------------------------------------

// Grey levels 0 to 15 from bytes that hold two each, the first in the high half.
/** @type {(bytes: Uint8Array, from: number, count: number) => Uint8Array} */
function unpackDigits(bytes, from, count) {
  const greys = new Uint8Array(count * PIXELS);
  for (let i = 0; i < greys.length; i++) {
    const byte = bytes[(from * PIXELS + i) >> 1];
    greys[i] = i % 2 ? byte & 15 : byte >> 4;
  }
  return greys;
}

// The black pixels of digit k, each black with the probability that its grey level gives.
/** @type {(greys: Uint8Array, k: number, uniform: Draws) => number[]} */
function blackPixels(greys, k, uniform) {
  const places = [];
  for (let i = 0; i < PIXELS; i++) {
    const grey = greys[k * PIXELS + i];
    if (grey && uniform() * 15 < grey) places.push(i);
  }
  return places;
}

/** @type {Drawings} */
const NO_DRAWINGS = { ids: [], greys: new Uint8Array() };

// The drawings stand behind the book's digits: number TRAIN is the first of them.
/** @type {(bytes: Uint8Array, settings: Settings, drawings?: Drawings) => Run} */
function newRun(bytes, { beta, prior, seed, source, times }, { ids, greys: own } = NO_DRAWINGS) {
  const uniform = uniformDraws(1000 * seed + 1);
  const fixedDraws = uniformDraws(5);
  const greys = unpackDigits(bytes, TRAIN, HELD);
  const normal = normalDraws(7);
  const { book, all } = epochOf(source, times, ids.length);
  const train = new Uint8Array(TRAIN * PIXELS + own.length);
  train.set(unpackDigits(bytes, 0, TRAIN));
  train.set(own, TRAIN * PIXELS);
  return {
    beta,
    prior,
    uniform,
    normal: normalDraws(1000 * seed + 2),
    p: firstWeights(uniform),
    g: zeros(),
    adam: adamState(),
    train,
    order: Uint16Array.from({ length: all }, (_, i) => (i < book ? i : TRAIN + ((i - book) % ids.length))),
    held: Array.from({ length: HELD }, (_, k) => blackPixels(greys, k, fixedDraws)),
    heldNoise: Float64Array.from({ length: 2 * HELD }, normal),
    drawn: Float64Array.from({ length: 2 * SHOWN }, normal),
    trace: traces(),
    epoch: 0,
    trained: null, // [nll, kl] of the last epoch, as it went along
    past: [], // the weights after each epoch
  };
}

/** @type {(order: Uint16Array, uniform: Draws) => Uint16Array} */
function shuffled(order, uniform) {
  const mixed = order.slice();
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(uniform() * (i + 1));
    [mixed[i], mixed[j]] = [mixed[j], mixed[i]];
  }
  return mixed;
}

/** @type {(run: Run) => void} */
function trainEpoch(run) {
  /** @type {Pair} */
  const sums = [0, 0];
  const eps = [0, 0];
  const count = run.order.length;
  shuffled(run.order, run.uniform).forEach((k, place) => {
    const x = blackPixels(run.train, k, run.uniform);
    for (let d = 0; d < 2; d++) eps[d] = run.normal();
    const [nll, kl] = forward(run.p, x, eps, run.prior, run.trace);
    sums[0] += nll;
    sums[1] += kl;
    backward(run.p, x, eps, run.beta, run.prior, run.trace, run.g);
    if ((place + 1) % BATCH === 0 || place + 1 === count) adamStep(run.p, run.g, run.adam, (place % BATCH) + 1);
  });
  run.epoch += 1;
  run.trained = [sums[0] / count, sums[1] / count];
}

// Held-out averages, the codes of the held-out digits, copies of some and draws from N(0, I), and
// the same of the drawings.
/** @type {(run: Run, drawings?: Drawings) => Report} */
function report(run, drawings = NO_DRAWINGS) {
  /** @type {Pair} */
  const sums = [0, 0];
  const codes = new Float32Array(2 * HELD);
  const copies = new Uint8Array(SHOWN * PIXELS);
  const draws = new Uint8Array(SHOWN * PIXELS);
  run.held.forEach((x, k) => {
    const terms = forward(run.p, x, run.heldNoise.subarray(2 * k, 2 * k + 2), run.prior, run.trace);
    terms.forEach((term, i) => (sums[i] += term / HELD));
    codes.set(run.trace.q.subarray(0, 2), 2 * k);
    if (k % 100 === 30) picture(run.p, run.trace.q.slice(0, 2), run.trace, copies, (k - 30) / 100);
  });
  for (let k = 0; k < SHOWN; k++) {
    picture(run.p, run.drawn.subarray(2 * k, 2 * k + 2), run.trace, draws, k);
  }
  const look = lookAt(run.p, drawings, run.trace);
  return { epoch: run.epoch, trained: run.trained, held: sums, codes, copies, draws, look };
}

// What z decodes to, as picture number k.
/** @type {(p: Tensors, z: Values, trace: Trace, pictures: Uint8Array, k: number) => void} */
function picture(p, z, trace, pictures, k) {
  decode(p, z, trace);
  for (let i = 0; i < PIXELS; i++) pictures[k * PIXELS + i] = Math.round(255 * sigmoid(trace.logits[i]));
}

// The means of q(z|x) for the drawings, whose darker pixels are black here, and their copies.
/** @type {(p: Tensors, drawings: Drawings, trace: Trace) => Look} */
function lookAt(p, { ids, greys }, trace) {
  const codes = new Float32Array(2 * ids.length);
  const copies = new Uint8Array(greys.length);
  ids.forEach((_, k) => {
    encode(p, blackPixels(greys, k, () => 0.5), trace);
    codes.set(trace.q.subarray(0, 2), 2 * k);
    picture(p, trace.q.slice(0, 2), trace, copies, k);
  });
  return { ids, codes, copies };
}

// The weights as they are now, at half the length.
/** @type {(p: Tensors) => Tensors32} */
function kept(p) {
  const arrays = NAMES.map((name) => [name, Float32Array.from(p[name])]);
  return Object.fromEntries(arrays);
}

// Looks at other drawings than before, through the networks of every epoch so far.
/** @type {(run: Run, drawings: Drawings) => Look[]} */
function looksBack(run, drawings) {
  const p = zeros();
  return run.past.map((weights) => {
    for (const name of NAMES) p[name].set(weights[name]);
    return lookAt(p, drawings, run.trace);
  });
}

// ---- the worker ----------------------------------------------------------------------------

// A message with settings makes a run and reports on it before training, one without trains it for
// an epoch and reports; one with drawings alone looks at them. The digits come with the first.
/** @type {(scope: typeof self) => void} */
function listenAsWorker(scope) {
  /** @type {Uint8Array} */
  let bytes;
  /** @type {Run} */
  let run;
  let drawings = NO_DRAWINGS;
  scope.onmessage = (/** @type {MessageEvent<Message & { ticket: number }>} */ { data }) => {
    const { ticket, settings } = data;
    bytes = data.bytes ?? bytes;
    drawings = data.drawings ?? drawings;
    if (data.drawings && !settings) return scope.postMessage({ ticket, looks: looksBack(run, drawings) });
    if (settings) run = newRun(bytes, settings, drawings);
    else trainEpoch(run);
    run.past.push(kept(run.p));
    scope.postMessage({ ticket, ...report(run, drawings) });
  };
}

if (typeof document === "undefined") listenAsWorker(self); // not where a test looks at the rest
