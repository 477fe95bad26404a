// Pick a digit, then turn the units of its code by hand and watch the decoder.

import {
  announcer, button, cleanups, digitAt, digitRow, digitTile, figure, fixed, frame, h, listen,
  readings, send, slider, tuple, withReset,
} from "./controls.js";
import { bernoulliNll, bytesOf, outputsOf, readMlp, runMlp, sigmoid } from "./maths.js";

function render({ model, el }) {
  const undo = cleanups();
  const said = announcer(undo);
  const images = bytesOf(model.get("images"));
  const limits = model.get("limits"); // [low, high] of each unit
  const size = outputsOf(model.get("decoder")); // pixels of an image
  let encoder, decoder;
  let best = null; // the loss of the encoder's code, until the digit or a network changes

  const original = () => digitAt(images, model.get("chosen"), size);
  const encoded = (x) => Array.from(runMlp(encoder, x).subarray(0, limits.length));
  const decode = (code) => runMlp(decoder, Float32Array.from(code));

  const pick = (chosen) => send(model, { chosen, code: encoded(digitAt(images, chosen, size)) });
  const turn = (unit, value) =>
    send(model, { code: model.get("code").map((v, i) => (i === unit ? value : v)) });
  const reset = () => send(model, { code: encoded(original()) });

  const [before, after] = [digitTile(Math.sqrt(size)), digitTile(Math.sqrt(size))];
  const row = digitRow(images, size, "Held-out digits to pick from", pick);
  const knobs = limits.map(([min, max], unit) =>
    slider({
      label: `code unit ${unit + 1}`,
      min,
      max,
      step: (max - min) / 200,
      value: 0,
      onInput: (value) => turn(unit, value),
    }),
  );
  const numbers = readings({ loss: "loss, this code", best: "loss, the encoder's code" });

  const work = frame(() => {
    const x = original();
    const code = model.get("code");
    if (code.length !== limits.length) return reset();
    best ??= bernoulliNll(x, decode(encoded(x)));
    const logits = decode(code);
    const loss = bernoulliNll(x, logits);
    before.paint(x);
    after.paint(logits, sigmoid);
    before.describe(`the original, digit ${model.get("chosen") + 1} of the row`);
    after.describe(`decoded from the code ${tuple(code, 1)}`);
    knobs.forEach((knob, i) => knob.set(code[i]));
    row.choose(model.get("chosen"));
    numbers.show({ loss: `${fixed(loss, 1)} nats`, best: `${fixed(best, 1)} nats` });
    said.say(`Loss ${fixed(loss, 1)} nats`);
  });

  function load() {
    encoder = readMlp(model.get("encoder"), model.get("encoder_weights"));
    decoder = readMlp(model.get("decoder"), model.get("decoder_weights"));
    forget();
  }

  function forget() {
    best = null;
    work();
  }

  const tiles = h("div", { class: "vw-pair" }, figure("original", before.canvas), figure("decoded", after.canvas));
  const left = h("div", { class: "vw-knob-side" }, tiles, numbers.root);
  const sliders = h("div", { class: "vw-sliders" }, ...knobs.map((knob) => knob.root));
  const root = h(
    "div",
    { class: "vw", role: "group", "aria-label": "Turn the units of a code" },
    h("div", { class: "vw-caption" }, "Pick a digit"),
    row.root,
    h("div", { class: "vw-flow" }, left, sliders),
    h("div", { class: "vw-bar" }, button("Back to the encoder's code", reset)),
    said.root,
  );
  listen(model, ["encoder", "encoder_weights", "decoder", "decoder_weights"], load, undo);
  listen(model, ["chosen"], forget, undo);
  listen(model, ["code"], work, undo);
  undo.add(work.cancel);
  load();
  el.append(root);
  return undo.run;
}

export default { render: withReset(render) };
