// Arithmetic that the widgets share: networks, densities, random draws. Natural logarithms, nats.
// Everything here is checked against torch in tests/widgets.

/** @import { Binary, Draws, Layer, Spec, Values } from "./types.d.ts" */

// ---- bytes ---------------------------------------------------------------------------------
// A binary trait arrives as a DataView at any offset of a larger buffer, so it is copied first:
// a Float32Array must start at a multiple of four.
/** @type {(view: Binary) => ArrayBufferLike} */
function copyOf(view) {
  if (view instanceof ArrayBuffer) return view.slice(0);
  return view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
}
/** @type {(view?: Binary | null) => boolean} */
export const isEmpty = (view) => !view || view.byteLength === 0;
/** @type {(view: Binary) => Uint8Array} */
export const bytesOf = (view) => (isEmpty(view) ? new Uint8Array(0) : new Uint8Array(copyOf(view)));
/** @type {(view: Binary) => Float32Array} */
export const floatsOf = (view) => (isEmpty(view) ? new Float32Array(0) : new Float32Array(copyOf(view)));
/** @type {(view: Binary) => Float64Array} */
export const doublesOf = (view) => (isEmpty(view) ? new Float64Array(0) : new Float64Array(copyOf(view)));

/** @type {(bits: number) => number} */
function halfToFloat(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** @type {(view: Binary) => Float32Array} */
function halvesOf(view) {
  return Float32Array.from(new Uint16Array(copyOf(view)), halfToFloat);
}

// ---- networks ------------------------------------------------------------------------------
/** @type {(v: number) => number} */
export const sigmoid = (v) => 1 / (1 + Math.exp(-v));
/** @type {(v: number) => number} */
export const softplus = (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));
/** @type {Record<string, (v: number) => number>} */
const ACTIVATIONS = {
  silu: (v) => v * sigmoid(v),
  relu: (v) => Math.max(v, 0),
  tanh: Math.tanh,
  sigmoid,
  identity: (v) => v,
};

// The layers of a network packed by _weights.py, each with a buffer for what it gives.
/** @type {(spec: Spec, view: Binary) => Layer[]} */
export function readMlp(spec, view) {
  const weights = halvesOf(view);
  let at = 0;
  /** @type {(count: number) => Float32Array} */
  const take = (count) => weights.subarray(at, (at += count));
  return spec.map((layer) =>
    layer.kind === "linear"
      ? {
          weight: take(layer.inputs * layer.outputs), // [outputs, inputs], row by row
          bias: take(layer.outputs),
          output: new Float32Array(layer.outputs),
        }
      : { activation: ACTIVATIONS[layer.kind] },
  );
}

// How many values a network gives; for a decoder, the pixels of its image.
/** @type {(spec: Spec) => number} */
export const outputsOf = (spec) =>
  spec.reduce((count, layer) => (layer.kind === "linear" ? layer.outputs : count), 0);

// What the network gives for one input. The array is the network's own: the next call reuses it.
/** @type {(layers: Layer[], input: Float32Array) => Float32Array} */
export function runMlp(layers, input) {
  let values = input;
  for (const layer of layers) {
    if ("activation" in layer) {
      for (let i = 0; i < values.length; i++) values[i] = layer.activation(values[i]);
      continue;
    }
    const { weight, bias, output } = layer;
    const inputs = values.length;
    for (let row = 0, at = 0; row < output.length; row++, at += inputs) {
      let sum = bias[row];
      for (let i = 0; i < inputs; i++) sum += weight[at + i] * values[i];
      output[row] = sum;
    }
    values = output;
  }
  return values;
}

// -log p(x|z) of a digit under independent Bernoulli pixels: sum of softplus(l) - x l.
/** @type {(x: Values, logits: Values) => number} */
export function bernoulliNll(x, logits) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += softplus(logits[i]) - x[i] * logits[i];
  return sum;
}

// ---- Gaussians -----------------------------------------------------------------------------
const LOG_2PI = Math.log(2 * Math.PI);
export const RADIUS_95 = Math.sqrt(-2 * Math.log(0.05)); // of N(0, I) in the plane: 2.448

/** @type {(z: number, mean: number, std: number) => number} */
export const logNormal = (z, mean, std) => -0.5 * (LOG_2PI + ((z - mean) / std) ** 2) - Math.log(std);

// KL(N(mu, diag exp(logvar)) || N(0, I)), summed over the dimensions.
/** @type {(mu: Values, logvar: Values) => number} */
export function klToStandardNormal(mu, logvar) {
  let sum = 0;
  for (let i = 0; i < mu.length; i++) {
    sum += 0.5 * (Math.exp(logvar[i]) + mu[i] * mu[i] - 1 - logvar[i]);
  }
  return sum;
}

// Uniform draws in [0, 1) from a seed: the mulberry32 generator.
/** @type {(seed: number) => Draws} */
export function uniformDraws(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Standard normal draws from a seed, by Box and Muller's method.
/** @type {(seed: number) => Draws} */
export function normalDraws(seed) {
  const uniform = uniformDraws(seed);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

// ---- sums on a grid ------------------------------------------------------------------------
// log of the integral of exp(values), where logWeights are the logs of the quadrature weights.
/** @type {(values: Values, logWeights: Values) => number} */
export function logIntegral(values, logWeights) {
  let top = -Infinity;
  for (let i = 0; i < values.length; i++) top = Math.max(top, values[i] + logWeights[i]);
  if (top === -Infinity) return top;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i] + logWeights[i] - top);
  return top + Math.log(sum);
}

// The integral of q (log q - log p); 0 log 0 is 0.
/** @type {(logQ: Values, logP: Values, logWeights: Values) => number} */
export function relativeEntropy(logQ, logP, logWeights) {
  let sum = 0;
  for (let i = 0; i < logQ.length; i++) {
    const mass = Math.exp(logQ[i] + logWeights[i]);
    if (mass > 0) sum += mass * (logQ[i] - logP[i]);
  }
  return sum;
}

/** @type {(value: number, low: number, high: number) => number} */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
// The same for a trait that anyone may set: what is no number counts as 0.
/** @type {(value: unknown, low: number, high: number) => number} */
export const within = (value, low, high) => clamp(Number(value) || 0, low, high);
/** @type {(value: unknown, low: number, high: number) => number} */
export const wholeWithin = (value, low, high) => Math.round(within(value, low, high));
