// Bayes on a curve: drag the observed x; see prior, likelihood and posterior over z, and p(x).

import { chart } from "./chart.js";
import {
  announcer, button, cleanups, colour, fixed, frame, h, listen, readings, send, slider, tuple,
  withReset,
} from "./controls.js";
import { doublesOf, logIntegral, logNormal } from "./maths.js";
import { dot, paintOpacities, plane } from "./plane.js";

// Everything Bayes' rule gives for one x, on even nodes (trapezium rule). Logs throughout.
function bayesOnCurve(nodes, curve, x, std) {
  const count = nodes.length;
  const logStep = Math.log(nodes[1] - nodes[0]);
  const logWeights = new Float64Array(count).fill(logStep);
  logWeights[0] = logWeights[count - 1] = logStep - Math.LN2;
  const logPrior = Float64Array.from(nodes, (z) => logNormal(z, 0, 1));
  const logLikelihood = logPrior.map(
    (_, i) => logNormal(x[0], curve[2 * i], std) + logNormal(x[1], curve[2 * i + 1], std),
  );
  const logJoint = logPrior.map((value, i) => value + logLikelihood[i]);
  const logEvidence = logIntegral(logJoint, logWeights);
  const logPosterior = logJoint.map((value) => value - logEvidence);
  let mean = 0, square = 0;
  for (let i = 0; i < count; i++) {
    const mass = Math.exp(logPosterior[i] + logWeights[i]);
    mean += mass * nodes[i];
    square += mass * nodes[i] ** 2;
  }
  const spread = Math.sqrt(Math.max(square - mean ** 2, 0));
  return { logPrior, logLikelihood, logPosterior, logEvidence, mean, spread };
}

// p(x) on side x side points of a square, row by row from the top, as a share of its largest
// value. For shading every fifth node is enough, and terms below e^-12 would not show.
function evidenceMap(nodes, curve, std, box, side) {
  const map = new Float64Array(side * side);
  let top = 0;
  for (let row = 0, at = 0; row < side; row++) {
    const y = box[3] - ((row + 0.5) / side) * (box[3] - box[2]);
    for (let column = 0; column < side; column++, at++) {
      const x = box[0] + ((column + 0.5) / side) * (box[1] - box[0]);
      for (let i = 0; i < nodes.length; i += 5) {
        const distance = (x - curve[2 * i]) ** 2 + (y - curve[2 * i + 1]) ** 2;
        const power = -0.5 * (nodes[i] ** 2 + distance / std ** 2);
        if (power > -12) map[at] += Math.exp(power);
      }
      top = Math.max(top, map[at]);
    }
  }
  return map.map((value) => value / top);
}

function render({ model, el }) {
  const undo = cleanups();
  const nodes = doublesOf(model.get("nodes"));
  const curve = doublesOf(model.get("curve"));
  const box = model.get("extent");
  const [low, high] = model.get("z_range");
  const seen = Array.from(nodes.keys()).filter((i) => nodes[i] >= low && nodes[i] <= high);
  const at = (values) => seen.map((i) => values[i]);
  const shade = h("canvas", { width: 64, height: 64 }); // p(x), painted when σ changes
  let shadeOf = "";
  let now;

  // ---- the plane ----
  function paintShade() {
    const ink = colour(surface.root, "--vw-text");
    if (shadeOf === `${model.get("std")} ${ink}`) return;
    shadeOf = `${model.get("std")} ${ink}`;
    const shares = evidenceMap(nodes, curve, model.get("std"), box, 64);
    paintOpacities(shade, ink, shares.map((share) => 0.45 * share));
  }

  // The curve, faint where the prior is low, and on it the posterior: thick where it is high.
  function paint(context, toPixels, size) {
    paintShade();
    context.drawImage(shade, 0, 0, size, size);
    const places = seen.map((i) => toPixels([curve[2 * i], curve[2 * i + 1]]));
    const unit = size / 220;
    const shareOf = (logs) => {
      const top = at(logs).reduce((a, b) => Math.max(a, b), -Infinity);
      return at(logs).map((v) => Math.exp(v - top));
    };
    const prior = shareOf(now.logPrior), posterior = shareOf(now.logPosterior);
    ribbon(context, places, colour(surface.root, "--vw-muted"), (i) => [0.2 + 0.8 * prior[i], unit]);
    ribbon(context, places, colour(surface.root, "--vw-posterior"), (i) =>
      posterior[i] < 0.01 ? [0, 0] : [1, unit * (1 + 7 * posterior[i])],
    );
    paintNumbers(context, toPixels, size);
  }

  // The numbers of z from -2 to 2, beside the curve, towards the middle.
  function paintNumbers(context, toPixels, size) {
    const middle = [(box[0] + box[1]) / 2, (box[2] + box[3]) / 2];
    context.fillStyle = colour(surface.root, "--vw-text");
    context.font = `${Math.max(size / 26, 11)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let z = Math.ceil(low); z <= high; z++) {
      const i = Math.round((z - nodes[0]) / (nodes[1] - nodes[0]));
      if (Math.abs(z) > 2 || i < 0 || i >= nodes.length) continue;
      const [x, y] = [curve[2 * i], curve[2 * i + 1]];
      dot(context, ...toPixels([x, y]), size / 110);
      const inward = (v, m) => m + 0.72 * (v - m);
      context.fillText(fixed(z, 0), ...toPixels([inward(x, middle[0]), inward(y, middle[1])]));
    }
  }

  const surface = plane({
    label: "observed point x",
    names: ["x₁", "x₂"],
    extent: box,
    paint,
    onMove: (x) => send(model, { x }),
    describe: (x) => `x = ${tuple(x, 1)}, log p(x) = ${fixed(now?.logEvidence ?? 0)} nats`,
    undo,
  });

  // ---- the curves over z ----
  const key = (name, text) => h("span", { style: `color: var(${name})` }, text);
  const range = [low, high];
  const upper = chart({ label: "likelihood", range, height: 120, curves: ["likelihood"], axis: "z", undo });
  const lower = chart({ label: "posterior", range, height: 170, curves: ["prior", "posterior"], axis: "z", undo });
  upper.root.querySelector(".likelihood").style.stroke = "var(--vw-q)";
  const curves = h(
    "div", {},
    h("div", { class: "vw-title" }, key("--vw-q", "likelihood p(x|z)"), ", to its own scale"),
    upper.root,
    h("div", { class: "vw-title" }, key("--vw-prior", "prior p(z), dotted"), "; ",
      key("--vw-posterior", "posterior p(z|x)")),
    lower.root,
  );

  // ---- controls and numbers ----
  const [stdLow, stdHigh] = model.get("std_range");
  const noise = slider({
    label: "noise σ", min: stdLow, max: stdHigh, step: 0.01, value: model.get("std"),
    onInput: (std) => send(model, { std }),
  });
  const numbers = readings({
    log: "log evidence, log p(x)",
    plain: "evidence p(x), a density",
    posterior: "posterior mean ± standard deviation",
  });
  const said = announcer(undo);
  const buttons = Object.entries(model.get("places")).map(([name, x]) => button(name, () => send(model, { x })));

  const show = frame(() => {
    const x = model.get("x");
    now = bayesOnCurve(nodes, curve, x, model.get("std"));
    const peak = now.logLikelihood.reduce((a, b) => Math.max(a, b), -Infinity);
    const z = at(nodes);
    upper.draw({ likelihood: at(now.logLikelihood).map((v) => Math.exp(v - peak)) }, z);
    lower.draw({ prior: at(now.logPrior).map(Math.exp), posterior: at(now.logPosterior).map(Math.exp) }, z);
    const summary = `${fixed(now.mean)} ± ${fixed(now.spread)}`;
    lower.relabel(`prior, and posterior with mean and standard deviation ${summary}`);
    upper.relabel(`likelihood of each z, largest at z = ${fixed(nodes[now.logLikelihood.indexOf(peak)])}`);
    numbers.show({
      log: `${fixed(now.logEvidence)} nats`,
      plain: Math.exp(now.logEvidence).toPrecision(2).replace("-", "−"),
      posterior: summary,
    });
    noise.set(model.get("std"));
    surface.moveTo(x);
    surface.repaint();
    said.say(`log p(x) ${fixed(now.logEvidence)} nats, posterior ${summary}`);
  });
  undo.add(show.cancel);

  now = bayesOnCurve(nodes, curve, model.get("x"), model.get("std"));
  const left = h("div", {}, h("div", { class: "vw-title" }, "Drag x; shading is p(x)"), surface.root);
  el.append(
    h("div", { class: "vw", role: "group", "aria-label": "Bayes' rule on a curve" },
      h("div", { class: "vw-pads" }, left, curves),
      h("div", { class: "vw-bar" }, ...buttons),
      noise.root, numbers.root,
      h("p", { class: "vw-note" }, "Drag the handle, or focus it and use the arrow keys (with Shift: larger steps)."),
      said.root),
  );
  listen(model, ["x", "std"], show, undo);
  show();
  return undo.run;
}

// A line through pixels whose opacity and width change along it: look(i) gives both.
function ribbon(context, places, style, look) {
  context.strokeStyle = style;
  for (let i = 1; i < places.length; i++) {
    [context.globalAlpha, context.lineWidth] = look(i);
    if (!context.globalAlpha) continue;
    context.beginPath();
    context.moveTo(...places[i - 1]);
    context.lineTo(...places[i]);
    context.stroke();
  }
  context.globalAlpha = 1;
}

export default { render: withReset(render) };
