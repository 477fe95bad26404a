"""The touchable figures: one anywidget class (.py) and one ES module (.js) each.

They are handed tensors and networks and import nothing else of ``vae_lib``. The same module runs
live in JupyterLab and, with no kernel, on the static page.

To add one, say ``TwoGaussians``:

1. ``two_gaussians.py``: a subclass of ``_stills.TouchableFigure`` (an anywidget) with
   ``_esm = _assets.module("two_gaussians.js")``, with ``_draw()``, which gives a matplotlib figure
   of the widget as it stands, and ``alt``, which says in words what that shows: they stand in its
   place on paper, without scripts, and in viewers that run no widgets.
2. Traits tagged ``sync=True``: small values as they are, arrays as ``Bytes`` (pack them with
   ``_weights.pack…``, which check shapes and say what is wrong; read them with ``floatsOf``,
   ``doublesOf``, ``bytesOf``, ``readMlp``). What the reader moves is a trait too.
3. ``two_gaussians.js``: ``function render({ model, el })`` and ``export default { render }``.
   Import what you need from ``maths.js``, ``controls.js``, ``digits.js``, ``plane.js`` (2-D
   handle) and ``chart.js`` (curves), by name: ``_assets.module`` joins the files, and says what it
   allows. Types stand in JSDoc, those that figures share in ``types.d.ts``; ``Traits`` are the
   model's, of which only get, set, on, off and save_changes may be used. Take ``render`` apart
   into state, drawing and controls: no function has more than 45 lines.
4. Moves go to the model (``send``); paint when the model says so (``listen``), once a frame
   (``frame``). Return ``undo.run``. Root: ``h("div", {class: "vw", role: "group", …})``.
   ``withFoot`` gives the figure its name in links, Reset, and on the book's pages a link to the
   reader's setting: list in its table each trait that the reader moves, with what it may be.
   A figure that surprises may ask for a guess first, where its trait ``ask`` is set
   (``predictFirst``): say what would tell, and is covered until then.
5. Pointer, touch and keyboard: a finger takes only what is drawn to be taken (``touch-action`` on
   the handle), so that a swipe elsewhere scrolls. A label on every control; colours from the
   variables of ``widgets.css``, and nothing said by a background alone (forced colours).
6. Tests in ``tests/widgets`` compare its numbers with torch in Chromium (see ``harness.py``).
"""

from vae_lib.widgets.ancestral_sampling import AncestralSampling
from vae_lib.widgets.bayes_curve import BayesCurve
from vae_lib.widgets.bound_ladder import BoundLadder
from vae_lib.widgets.class_latent_pad import ClassLatentPad
from vae_lib.widgets.code_knobs import CodeKnobs
from vae_lib.widgets.diffusion_steps import DiffusionSteps
from vae_lib.widgets.draw_digit import DrawDigit
from vae_lib.widgets.evidence_split import EvidenceSplit
from vae_lib.widgets.gradient_spread import GradientSpread
from vae_lib.widgets.lambda_plane import LambdaPlane
from vae_lib.widgets.latent_pad import LatentPad
from vae_lib.widgets.rate_distortion import RateDistortion
from vae_lib.widgets.rerun import Picture, RerunPanel, Settings
from vae_lib.widgets.train_vae import TrainVAE
from vae_lib.widgets.two_gaussians import TwoGaussians

__all__ = [
    "AncestralSampling",
    "BayesCurve",
    "BoundLadder",
    "ClassLatentPad",
    "CodeKnobs",
    "DiffusionSteps",
    "DrawDigit",
    "EvidenceSplit",
    "GradientSpread",
    "LambdaPlane",
    "LatentPad",
    "Picture",
    "RateDistortion",
    "RerunPanel",
    "Settings",
    "TrainVAE",
    "TwoGaussians",
]
