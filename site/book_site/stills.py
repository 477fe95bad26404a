"""Put each touchable figure's still picture, with its words, where its script will draw.

A widget's output holds several forms: the view that a script draws, a PNG, and a text that says
what the PNG shows. myst-nb chooses one for each kind of page, and for HTML it is the view, which is
nothing without a script. So the picture is moved in front of the view before that choice is made;
``static/widget-host.js`` takes it away when the figure is drawn.
"""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
NOTE = (
    "<noscript><p class='book-notice'>A still picture stands here, since JavaScript is off."
    "</p></noscript>"
)


class StandIn(SphinxPostTransform):
    """Move the picture of a widget's output into the form that shows its view."""

    default_priority = 3  # before myst-nb's SelectMimeType, which keeps one form
    formats = ("html",)

    def run(self, **kwargs):
        """Work on every output of the page that has a view, a picture and words."""
        for bundle in self.document.findall(nodes.container):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            forms = {form["mime_type"]: form for form in bundle.children}
            if {WIDGET_VIEW, "image/png", "text/plain"} <= forms.keys():
                image = forms["image/png"].children[0]
                image["alt"] = forms["text/plain"].astext()
                image["classes"].append("dark-light")
                note = nodes.raw("", NOTE, format="html")
                still = nodes.container("", image, note, classes=["book-still"])
                forms[WIDGET_VIEW].insert(0, still)


def setup(app):
    """Register the transform."""
    app.add_post_transform(StandIn)
