"""The digits for the figure that learns in the page: a script of their own, loaded when it is used.

They are MNIST's (LeCun et al., 1998), CC BY-SA 3.0, as vae_lib ships them, at 14 x 14 pixels.
"""

from pathlib import Path

NOTE = "// Digits of MNIST, CC BY-SA 3.0: see LICENSE.\n"


def is_used(env) -> bool:
    """Whether a page of the book has the figure."""
    return any("TrainVAE(" in Path(env.doc2path(name)).read_text("utf8") for name in env.found_docs)


def write_digits(app, exception):
    """Put ``_static/digits-14.js`` into the site."""
    if exception is not None or app.builder.format != "html" or not is_used(app.env):
        return
    from vae_lib.data import load_digits
    from vae_lib.widgets._digits import digits_script, pack_digits

    def shrunk(images):
        return images.reshape(-1, 14, 2, 14, 2).mean((2, 4)).flatten(1)

    train, heldout = load_digits("train"), load_digits("heldout")
    packed = pack_digits(shrunk(train.images), shrunk(heldout.images), heldout.labels)
    path = Path(app.outdir, "_static", "digits-14.js")
    path.parent.mkdir(exist_ok=True)
    path.write_text(NOTE + digits_script(packed), "utf8")


def setup(app):
    """Connect to Sphinx."""
    app.connect("build-finished", write_digits)
