"""Show one widget in Chromium as the static page does: from its embedded state, with no kernel.

``show(page, widget)`` serves a page whose model shim has get, set, on, off and save_changes only.
The shim stands in ``window.model``; ``window.model.saved`` counts calls of ``save_changes``.
"""

import json

from ipywidgets.embed import embed_data

ADDRESS = "http://localhost/widget.html"

PAGE = """<!doctype html>
<html lang="en" data-theme="{theme}"{book}><head><meta charset="utf-8"><title>A widget</title>
<meta name="viewport" content="width=device-width">
<style>body {{ margin: 16px; background: {background}; }}</style></head>
<body><main id="host"></main>
<script type="application/json" id="state">{state}</script>
<script type="module">
const {{ state, buffers }} = JSON.parse(document.getElementById("state").textContent);
const view = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
for (const {{ path, data }} of buffers ?? []) {{
  let owner = state;
  for (const key of path.slice(0, -1)) owner = owner[key];
  owner[path.at(-1)] = view(data);
}}
const heard = {{}};
const model = window.model = {{
  saved: 0,
  get: (name) => state[name],
  set(name, value) {{
    state[name] = value;
    for (const handler of [...(heard[`change:${{name}}`] ?? [])]) handler();
  }},
  on: (event, handler) => (heard[event] ??= new Set()).add(handler),
  off: (event, handler) => heard[event]?.delete(handler),
  save_changes: () => model.saved++,
  listeners: () => Object.values(heard).reduce((sum, set) => sum + set.size, 0),
  view, // bytes from base64, for tests that change a binary trait
}};
document.head.append(Object.assign(document.createElement("style"), {{ textContent: state._css }}));
const url = URL.createObjectURL(new Blob([state._esm + {extra}], {{ type: "text/javascript" }}));
window.module = await import(url);
window.leave = await window.module.default.render({{ model, el: document.getElementById("host") }});
window.ready = true;
</script></body></html>"""


def embedded_state(widget) -> dict:
    """What a page embeds of ``widget``: {"state": …, "buffers": […]}, bytes in base64."""
    data = embed_data(views=[widget], drop_defaults=False)  # else the module would be dropped
    return data["manager_state"]["state"][widget.model_id]


def page_source(widget, theme: str = "light", exports: str = "", *, book: bool = False) -> str:
    """The page. ``exports`` names the module's inner functions that a test wants to call.

    A page of the ``book`` says where its root is.
    """
    extra = f"\nexport {{ {exports} }};" if exports else ""
    return PAGE.format(
        theme=theme,
        book=' data-content_root="./"' if book else "",
        background="#ffffff" if theme == "light" else "#14181e",
        state=json.dumps(embedded_state(widget)).replace("<", "\\u003c"),
        extra=json.dumps(extra),
    )


def show(page, widget, theme: str = "light", exports: str = "", *, book=False, link: str = ""):
    """Open ``widget`` in ``page``, where a ``link`` leads to, and wait until it has painted."""
    source = page_source(widget, theme, exports, book=book)
    page.route(f"{ADDRESS}*", lambda route: route.fulfill(body=source, content_type="text/html"))
    page.goto(ADDRESS + link)
    page.wait_for_function("window.ready === true")
    settle(page)
    return page


def settle(page):
    """Wait for the frame that paints what was just asked for."""
    page.evaluate("() => new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")


def trait(page, name: str):
    """A trait of the model in the page."""
    return page.evaluate("(name) => window.model.get(name)", name)


def tile(page, index: int = 0, side: int = 28) -> list[int]:
    """The side x side grey levels of a painted digit, 0 to 255."""
    return page.evaluate(
        """([index, side]) => {
          const canvas = document.querySelectorAll("canvas.vw-digit")[index];
          const { data } = canvas.getContext("2d").getImageData(0, 0, side, side);
          return Array.from({ length: side * side }, (_, i) => data[4 * i]);
        }""",
        [index, side],
    )


def push(page, widget, *names: str):
    """What a kernel does: set traits of the page's model to the widget's values of now."""
    page.evaluate(
        """([{ state, buffers }, names]) => {
          for (const { path, data } of buffers ?? []) {
            let owner = state;
            for (const key of path.slice(0, -1)) owner = owner[key];
            owner[path.at(-1)] = window.model.view(data);
          }
          for (const name of names) window.model.set(name, state[name]);
        }""",
        [embedded_state(widget), names],
    )
    settle(page)


def drag(page, locator, *points):
    """Press the mouse at the first of some points of a box (in fractions of it), go on, let go."""
    box = locator.bounding_box()
    places = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    settle(page)


def swipe(page, locator, *points):
    """The same with a finger, through Chromium's own touch events."""
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    session = page.context.new_cdp_session(page)
    for i, (u, v) in enumerate(points):
        where = {"x": box["x"] + u * box["width"], "y": box["y"] + v * box["height"]}
        kind = "touchMove" if i else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [where]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settle(page)
