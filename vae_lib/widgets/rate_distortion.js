// Move β over trained models: their place on the rate-distortion curve, and what they draw.

import { niceStep, tenth } from "./chart.js";
import {
  announcer, button, cleanups, digitAt, digitTile, figure, fixed, frame, h, listen, readings,
  send, setAttributes, slider, svg, withReset,
} from "./controls.js";
import {
  bytesOf, clamp, doublesOf, normalDraws, outputsOf, readMlp, runMlp, sigmoid,
} from "./maths.js";

// Draws of N(0, I) from a seed: first an ε for each digit, then a z for each sample.
function latentDraws(seed, count, size) {
  const draw = normalDraws(seed);
  const rows = () => Array.from({ length: count }, () => Float32Array.from({ length: size }, draw));
  return { eps: rows(), z: rows() };
}

// z = μ + σ ε of digit i.
function latentOf(mu, logvar, eps, i) {
  const at = i * eps.length;
  return eps.map((e, j) => mu[at + j] + Math.exp(0.5 * logvar[at + j]) * e);
}

// The curve, its points, and the line of slope -β through the chosen one.
function curveOf({ points, label, onChoose, undo }) {
  const height = 260, left = 44, foot = 40, top = 12;
  const rates = points.map((point) => point.rate);
  const distortions = points.map((point) => point.distortion);
  const [low, high] = [Math.min(...distortions), Math.max(...distortions)];
  const margin = 0.08 * (high - low || 1);
  const [bottom, ceiling] = [low - margin, high + margin];
  const wide = 1.05 * Math.max(...rates) || 1;
  const ticks = svg("g", { class: "vw-ticks" });
  const line = svg("path", { class: "vw-curve posterior" });
  const tangent = svg("path", { class: "vw-curve q" });
  const clip = svg("clipPath", { id: `rd-${Math.random().toString(36).slice(2)}` });
  const frameBox = svg("rect", { y: top, height: height - top - foot });
  clip.append(frameBox);
  tangent.setAttribute("clip-path", `url(#${clip.id})`);
  const dots = points.map((_, i) =>
    svg("circle", { class: "vw-rd-point", r: 5, onclick: () => onChoose(i) }),
  );
  const marker = svg("circle", { class: "vw-rd-marker", r: 8 });
  const picture = svg(
    "svg", { height, role: "img", "aria-label": label }, clip, ticks, line, tangent, ...dots, marker,
  );
  const root = h("div", { class: "vw-chart" }, picture);
  let width = 1, shown = 0;
  const toX = (rate) => left + (rate / wide) * (width - left - 12);
  const toY = (distortion) => top + ((ceiling - distortion) / (ceiling - bottom)) * (height - top - foot);

  function drawTicks() {
    const base = height - foot;
    const parts = [svg("path", { d: `M${left} ${top}V${base}H${width}`, fill: "none" })];
    const across = niceStep(wide, (width - left) / 44);
    for (let v = 0; v <= wide + 1e-9; v += across) {
      parts.push(svg("text", { x: toX(v), y: base + 15, "text-anchor": "middle" }, fixed(v, across < 1 ? 1 : 0)));
    }
    const up = niceStep(ceiling - bottom, 6);
    for (let v = Math.ceil(bottom / up) * up; v <= ceiling; v += up) {
      parts.push(svg("text", { x: left - 6, y: toY(v) + 4, "text-anchor": "end" }, fixed(v, up < 1 ? 1 : 0)));
    }
    parts.push(svg("text", { x: width, y: base + 32, "text-anchor": "end" }, "rate R, nats"));
    parts.push(svg("text", { x: left + 8, y: top + 10 }, "distortion D, nats"));
    ticks.replaceChildren(...parts);
  }

  function draw() {
    const places = points.map((point) => `${tenth(toX(point.rate))} ${tenth(toY(point.distortion))}`);
    line.setAttribute("d", `M${places.join("L")}`);
    dots.forEach((dot, i) => setAttributes(dot, { cx: toX(rates[i]), cy: toY(distortions[i]) }));
    const { rate, distortion, beta } = points[shown];
    setAttributes(marker, { cx: toX(rate), cy: toY(distortion) });
    const on = (r) => `${tenth(toX(r))} ${tenth(toY(distortion - beta * (r - rate)))}`;
    tangent.setAttribute("d", `M${on(0)}L${on(wide)}`);
  }

  const refit = frame(() => {
    width = Math.max(root.clientWidth, 1);
    picture.setAttribute("width", width);
    setAttributes(frameBox, { x: left, width: Math.max(width - left, 1) });
    drawTicks();
    draw();
  });
  const observer = new ResizeObserver(refit);
  observer.observe(root);
  undo.add(() => (observer.disconnect(), refit.cancel()));
  const show = (i, text) => {
    shown = i;
    picture.setAttribute("aria-label", text);
    if (width > 1) draw();
  };
  return { root, show };
}

function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const models = model.get("models");
  const pixels = outputsOf(models[0].spec);
  const images = bytesOf(model.get("images"));
  const count = images.length / pixels;
  const networks = models.map(({ spec, weights, mu, logvar }) => ({
    layers: readMlp(spec, weights),
    size: spec.find((layer) => layer.kind === "linear").inputs,
    mu: doublesOf(mu),
    logvar: doublesOf(logvar),
  }));
  const name = (i) => String(models[i].beta);

  const choose = (chosen) => send(model, { chosen });
  const again = () => send(model, { seed: model.get("seed") + 1 });
  const curve = curveOf({ points: models, label: "Rate and distortion", onChoose: choose, undo });
  const knob = slider({
    label: "weight β", min: 0, max: models.length - 1, step: 1, value: 0, format: name, onInput: choose,
  });
  const numbers = readings({ rate: "rate R", distortion: "distortion D", total: "R + D, that is −ELBO" });
  const rowOf = (title) => {
    const tiles = Array.from({ length: count }, () => digitTile(Math.sqrt(pixels)));
    const row = h("div", { class: "vw-rd-row" }, ...tiles.map((tile) => tile.canvas));
    return { tiles, root: figure(title, row) };
  };
  const digits = rowOf("digits");
  const decoded = rowOf("reconstructions, z from q(z|x)");
  const samples = rowOf("samples, z from N(0, I)");
  digits.tiles.forEach((tile, i) => {
    tile.paint(digitAt(images, i, pixels));
    tile.describe(`digit ${i + 1}`);
  });

  const work = frame(() => {
    const chosen = clamp(model.get("chosen"), 0, models.length - 1);
    const { layers, size, mu, logvar } = networks[chosen];
    const { eps, z } = latentDraws(model.get("seed"), count, size);
    for (let i = 0; i < count; i++) {
      decoded.tiles[i].paint(runMlp(layers, latentOf(mu, logvar, eps[i], i)), sigmoid);
      decoded.tiles[i].describe(`digit ${i + 1} reconstructed at β = ${name(chosen)}`);
      samples.tiles[i].paint(runMlp(layers, z[i]), sigmoid);
      samples.tiles[i].describe(`sample ${i + 1} at β = ${name(chosen)}`);
    }
    const { rate, distortion } = models[chosen];
    const nats = (v) => `${fixed(v)} nats`;
    numbers.show({ rate: nats(rate), distortion: nats(distortion), total: nats(rate + distortion) });
    knob.set(chosen);
    const text = `β = ${name(chosen)}: rate ${nats(rate)}, distortion ${nats(distortion)}`;
    curve.show(chosen, text);
    said.say(text);
  });

  const left = h("div", { class: "vw-half" }, curve.root, knob.root, numbers.root);
  const right = h(
    "div", { class: "vw-half" }, digits.root, decoded.root, samples.root,
    h("div", { class: "vw-bar" }, button("Draw z again", again)),
  );
  const root = h(
    "div", { class: "vw", role: "group", "aria-label": "Rate and distortion for several β" },
    h("div", { class: "vw-flow" }, left, right), said.root,
  );
  listen(model, ["chosen", "seed"], work, undo);
  undo.add(work.cancel);
  work();
  el.append(root);
  return undo.run;
}

export default { render: withReset(render) };
