// Ancestral sampling: z from the prior, its pixel probabilities, black-and-white pixels from those.

import {
  announcer, button, cleanups, digitTile, figure, fixed, frame, h, listen, readings, send, tuple,
  withReset,
} from "./controls.js";
import {
  bernoulliNll, logNormal, normalDraws, outputsOf, RADIUS_95, readMlp, runMlp, sigmoid,
  uniformDraws,
} from "./maths.js";
import { plane } from "./plane.js";

const EXTENT = [-3.5, 3.5, -3.5, 3.5];
const NEXT = { 1: "Decode z", 2: "Draw the pixels", 3: "Start again: draw z" };
const TOLD = {
  1: "z is drawn from N(0, I), or placed by hand. Nothing else is known yet.",
  2: "The decoder has turned z into the probability of ink in each pixel. This is no digit yet.",
  3: "Each pixel is drawn on its own, given its probability. This is x, a draw from p(x); z and x together are one from p(x, z).",
};

function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const draws = normalDraws(model.get("seed"));
  const layers = readMlp(model.get("decoder"), model.get("decoder_weights"));
  const size = outputsOf(model.get("decoder"));
  const [probabilities, pixels] = [digitTile(Math.sqrt(size)), digitTile(Math.sqrt(size))];
  const numbers = readings({ prior: "log p(z)", likelihood: "log p(x|z)", joint: "log p(x, z)" });
  const told = h("p", { class: "vw-note" });

  const surface = plane({
    label: "latent vector z",
    names: ["z₁", "z₂"],
    extent: EXTENT,
    onMove: (z) => send(model, { z }),
    describe: (z) => `z = ${tuple(z, 1)}`,
    undo,
  });
  surface.ellipse({ class: "vw-ring" })([0, 0], [RADIUS_95, RADIUS_95]);
  surface.setExtent(EXTENT);

  const drawZ = () => send(model, { z: [draws(), draws()], step: 1 });
  const drawPixels = () => send(model, { pixel_seed: model.get("pixel_seed") + 1, step: 3 });
  const advance = () => {
    const step = model.get("step");
    if (step === 1) send(model, { step: 2 });
    else if (step === 2) drawPixels();
    else drawZ();
  };
  const next = button("", advance);
  const again = button("New pixels, same z", drawPixels);

  const blank = new Float32Array(size);
  const work = frame(() => {
    const [z, step] = [model.get("z"), model.get("step")];
    const logits = runMlp(layers, Float32Array.from(z));
    const uniform = uniformDraws(model.get("pixel_seed"));
    const x = Float32Array.from(logits, (logit) => (uniform() < sigmoid(logit) ? 1 : 0));
    const prior = logNormal(z[0], 0, 1) + logNormal(z[1], 0, 1);
    const likelihood = -bernoulliNll(x, logits);

    surface.moveTo(z);
    step > 1 ? probabilities.paint(logits, sigmoid) : probabilities.paint(blank);
    pixels.paint(step > 2 ? x : blank);
    probabilities.describe(step > 1 ? "probability of ink in each pixel" : "nothing decoded yet");
    pixels.describe(step > 2 ? "a black-and-white digit, drawn pixel by pixel" : "nothing drawn yet");
    numbers.show({
      prior: `${fixed(prior)} nats`,
      likelihood: step > 2 ? `${fixed(likelihood)} nats` : "–",
      joint: step > 2 ? `${fixed(prior + likelihood)} nats` : "–",
    });
    next.textContent = NEXT[step];
    again.disabled = step < 3;
    told.textContent = `Step ${step} of 3. ${TOLD[step]}`;
    said.say(told.textContent);
  });

  const root = h(
    "div",
    { class: "vw", role: "group", "aria-label": "Ancestral sampling, step by step" },
    h(
      "div",
      { class: "vw-flow" },
      h("div", { class: "vw-step vw-step-plane" }, figure("1. z from p(z)", surface.root)),
      h("div", { class: "vw-step" }, figure("2. decode to π", probabilities.canvas)),
      h("div", { class: "vw-step" }, figure("3. x from p(x|z)", pixels.canvas)),
    ),
    told,
    h("div", { class: "vw-bar" }, next, again),
    numbers.root,
    h("p", { class: "vw-note" }, "Or drag the handle: z can be placed by hand, with the arrow keys too."),
    said.root,
  );
  listen(model, ["z", "step", "pixel_seed"], work, undo);
  undo.add(work.cancel);
  work();
  el.append(root);
  return undo.run;
}

export default { render: withReset(render) };
