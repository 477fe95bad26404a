// Decoders side by side: drag a handle over each one's latent plane and see what it decodes to.

import {
  announcer, button, classLegend, cleanups, digitTile, frame, h, listen, send, tuple, withReset,
} from "./controls.js";
import {
  bytesOf, floatsOf, normalDraws, outputsOf, RADIUS_95, readMlp, runMlp, sigmoid,
} from "./maths.js";
import { paintCodes, plane } from "./plane.js";

function render({ model, el }) {
  const undo = cleanups();
  const grid = h("div", { class: "vw-pads" });
  const legend = classLegend((digit) => {
    chosen = digit;
    Object.values(views).forEach((view) => view.repaint());
  });
  const said = announcer(undo);
  const root = h("div", { class: "vw", role: "group", "aria-label": "Latent pad" }, grid, said.root);
  let views = {}; // one for each decoder, by name
  let shown = ""; // the names of the views and the size of what they decode
  let chosen = -1;
  const draws = normalDraws(model.get("seed"));

  const place = (name, z) => send(model, { positions: { ...model.get("positions"), [name]: z } });

  function drawFromPrior() {
    const z = [draws(), draws()];
    const positions = Object.fromEntries(Object.keys(views).map((name) => [name, z]));
    send(model, { positions: { ...model.get("positions"), ...positions } });
    said.say(`z drawn from N(0, I): ${tuple(z, 1)}`);
  }

  function load() {
    const pads = model.get("pads");
    const names = pads.map((pad) => pad.name);
    const shape = pads.map((pad) => `${pad.name} ${outputsOf(pad.spec)}`).join("\n");
    if (shape !== shown) {
      shown = shape;
      views = Object.fromEntries(pads.map((pad) => [pad.name, padView(pad)]));
      grid.replaceChildren(...Object.values(views).map((view) => view.root));
      grid.classList.toggle("vw-single", names.length === 1);
    }
    const labels = bytesOf(model.get("labels"));
    pads.forEach((pad) => views[pad.name].load(pad, labels));
    legend.hidden = labels.length === 0;
    follow();
  }

  function follow() {
    const positions = model.get("positions");
    for (const [name, view] of Object.entries(views)) view.show(positions[name] ?? [0, 0]);
  }

  function padView({ name, spec }) {
    let layers, codes, labels, ring, z = [0, 0];
    const tile = digitTile(Math.sqrt(outputsOf(spec)));
    const surface = plane({
      label: `${name}: latent vector z`,
      names: ["z₁", "z₂"],
      extent: [-3, 3, -3, 3],
      paint: (context, toPixels, size) => paintCodes(context, toPixels, size, codes, labels, chosen),
      onMove: (next) => place(name, next),
      describe: (value) => `z = ${tuple(value, 1)}`,
      undo,
    });
    const drawRing = surface.ellipse({ class: "vw-ring" });
    const numbers = h("div", { class: "vw-number" });
    const note = h("p", { class: "vw-note" });
    const side = h("div", { class: "vw-side" }, tile.canvas, numbers, note);
    const view = h("div", { class: "vw-pad" }, surface.root, side);

    const decode = frame(() => {
      tile.paint(runMlp(layers, Float32Array.from(z)), sigmoid);
      tile.describe(`${name} decodes z = ${tuple(z, 1)} to this digit`);
      numbers.textContent = `z = ${tuple(z)}`;
      if (ring) note.textContent = ringText(z);
    });
    undo.add(decode.cancel);

    return {
      root: h("div", {}, h("div", { class: "vw-title" }, name), view),
      repaint: surface.repaint,
      load(pad, classes) {
        layers = readMlp(pad.spec, pad.weights);
        codes = floatsOf(pad.codes);
        labels = classes;
        ring = pad.prior;
        surface.setExtent(pad.extent);
        surface.repaint();
        drawRing([0, 0], ring ? [RADIUS_95, RADIUS_95] : [0, 0]);
      },
      show(next) {
        z = next;
        surface.moveTo(z);
        decode();
      },
    };
  }

  const ringText = (z) =>
    Math.hypot(z[0], z[1]) <= RADIUS_95
      ? "Inside the ring, which holds 95 % of p(z)."
      : "Outside the ring, which holds 95 % of p(z).";

  const hint = "Drag the handle, or focus it and use the arrow keys.";
  const bar = h("div", { class: "vw-bar" }, legend, button("Draw z from N(0, I)", drawFromPrior));
  root.append(bar, h("p", { class: "vw-note" }, hint));
  listen(model, ["pads", "labels"], load, undo);
  listen(model, ["positions"], follow, undo);
  load();
  el.append(root);
  return undo.run;
}

export default { render: withReset(render) };
