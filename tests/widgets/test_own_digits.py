"""The reader's drawings in the VAE that learns in the page: they are trained on, as torch would."""

import base64

import examples
import harness
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from test_train_vae import as_sent, digits_figure, epoch_slider, loss_of, started, wait_for_epoch

from vae_lib.models import VAE
from vae_lib.widgets import TrainVAE

INNER = (
    "newRun, trainEpoch, report, lookAt, looksBack, kept, shuffled, firstWeights, uniformDraws,"
    " normalDraws"
)
LOAD = f"""async () => {{
  const text = window.module.TRAINER + "\\nexport {{ {INNER} }};";
  const url = URL.createObjectURL(new Blob([text], {{ type: "text/javascript" }}));
  window.trainer = await import(url);
}}"""

# What the page says to its worker, kept for the test.
LISTEN = """() => {
  window.said = [];
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (message) {
    said.push({ ...message, bytes: undefined });
    return post.call(this, message);
  };
}"""
TOLD = """() => {
  const { drawings, settings } = said.findLast((message) => message.drawings);
  return { ids: drawings.ids, greys: Array.from(drawings.greys), settings };
}"""

TRIANGLE = [(0.5, 0.2), (0.8, 0.8), (0.2, 0.8), (0.5, 0.2)]
CROSS = [(0.2, 0.2), (0.8, 0.8), (0.8, 0.2), (0.2, 0.8)]


def black_and_white(count: int, seed: int) -> torch.Tensor:
    """Images that a fresh binarisation leaves as they are."""
    g = torch.Generator().manual_seed(seed)
    return (torch.rand(count, 196, generator=g) < 0.2).float()


@pytest.fixture
def trainer(browser_page):
    page = harness.show(browser_page, examples.train_vae(), exports="TRAINER")
    page.evaluate(LOAD)
    return page


# ---- the arithmetic ----

EPOCH = """({ bytes, settings, drawings }) => {
  const packed = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
  const lists = (from) =>
    Object.fromEntries(Object.entries(from).map(([name, values]) => [name, Array.from(values)]));
  const run = trainer.newRun(packed, settings, { ...drawings, greys: Uint8Array.from(drawings.greys) });
  const uniform = trainer.uniformDraws(1000 * settings.seed + 1);
  trainer.firstWeights(uniform);
  const order = Array.from(trainer.shuffled(run.order, uniform));
  const normal = trainer.normalDraws(1000 * settings.seed + 2);
  const eps = order.map(() => [normal(), normal()]);
  const first = lists(run.p);
  trainer.trainEpoch(run);
  return { order, eps, first, trained: run.trained, weights: lists(run.p) };
}"""  # noqa: E501


def put(model: VAE, weights: dict[str, list[float]]):
    """Set a model's parameters to what stands under the names of vae_trainer.js."""
    layers = [n for net in (model.encoder, model.decoder) for n in net if hasattr(n, "weight")]
    for k, layer in enumerate(layers, 1):
        weight = torch.tensor(weights[f"w{k}"], dtype=torch.float64)
        shape = layer.weight.shape
        layer.weight.data = weight.reshape(shape[::-1]).T if k == 1 else weight.reshape(shape)
        layer.bias.data = torch.tensor(weights[f"b{k}"], dtype=torch.float64)


@pytest.mark.parametrize(
    ("source", "times", "all_of"),
    [("mine", 1, 3 * 1333), ("both", 7, 4000 + 3 * 7), ("book", 7, 4000)],
)
def test_an_epoch_with_drawings_is_torchs(trainer, source, times, all_of):
    train, drawn = black_and_white(4000, 1), black_and_white(3, 2)
    figure = TrainVAE(train, black_and_white(1000, 3), torch.zeros(1000))
    got = trainer.evaluate(
        EPOCH,
        {
            "bytes": base64.b64encode(figure.packed).decode(),
            "settings": {"beta": 1, "prior": True, "seed": 2, "source": source, "times": times},
            "drawings": {"ids": [0, 1, 2], "greys": (15 * drawn).int().flatten().tolist()},
        },
    )
    order = torch.tensor(got["order"])
    assert len(order) == all_of
    each = {"book": 0, "both": times, "mine": 1333}[source]
    assert torch.bincount(order, minlength=4003)[4000:].tolist() == [each] * 3
    x = torch.cat([train, drawn]).double()[order]
    eps = torch.tensor(got["eps"], dtype=torch.float64)
    model = VAE(2, (64,), shape=(14, 14)).double()
    put(model, got["first"])
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    sums = torch.zeros(2, dtype=torch.float64)
    for batch, noise in zip(x.split(50), eps.split(50), strict=True):  # the last may be smaller
        optimiser.zero_grad()
        loss, nll, kl = loss_of(model, batch, noise, 1.0, True)
        loss.mean().backward()
        optimiser.step()
        sums += torch.stack([nll.sum(), kl.sum()]).detach()
    assert got["trained"] == pytest.approx((sums / len(x)).tolist(), abs=1e-4)
    for name, want in as_sent(model).items():
        assert got["weights"][name] == pytest.approx(want, abs=2e-5), name


LOOK = """({ bytes, settings, drawings }) => {
  const packed = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
  drawings.greys = Uint8Array.from(drawings.greys);
  const run = trainer.newRun(packed, settings, drawings);
  const flat = ({ codes, copies }) => [...codes, ...copies];
  const past = [flat(trainer.report(run, drawings).look)];
  run.past.push(trainer.kept(run.p));
  trainer.trainEpoch(run);
  run.past.push(trainer.kept(run.p));
  past.push(flat(trainer.report(run, drawings).look));
  return { past, back: trainer.looksBack(run, drawings).map(flat) };
}"""


def test_a_look_back_shows_what_was_seen_then(trainer):
    figure = examples.train_vae()
    got = trainer.evaluate(
        LOOK,
        {
            "bytes": base64.b64encode(figure.packed).decode(),
            "settings": {"beta": 1, "prior": True, "seed": 0, "source": "book", "times": 1},
            "drawings": {
                "ids": [4, 9],
                "greys": (15 * black_and_white(2, 5)).int().flatten().tolist(),
            },
        },
    )
    past, back = torch.tensor(got["past"]), torch.tensor(got["back"])
    assert (past[0, :4] - past[1, :4]).abs().max() > 0.01
    assert (past[:, :4] - back[:, :4]).abs().max() < 1e-5
    assert (past[:, 4:] - back[:, 4:]).abs().max() <= 1  # levels of 255


def test_a_pixel_is_looked_at_as_black_from_the_middle_on(trainer):
    """Where the book's digits are drawn by chance: 8 of 15 is black, 7 is white."""
    codes = trainer.evaluate(
        """(bytes) => {
          const packed = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
          const settings = { beta: 1, prior: true, seed: 0, source: "book", times: 1 };
          const run = trainer.newRun(packed, settings);
          const greys = Uint8Array.from([0, 7, 8, 15].flatMap((level) => Array(196).fill(level)));
          return Array.from(trainer.lookAt(run.p, { ids: [0, 1, 2, 3], greys }, run.trace).codes);
        }""",
        base64.b64encode(examples.train_vae().packed).decode(),
    )
    white, pale, dark, black = torch.tensor(codes).reshape(4, 2)
    assert torch.equal(pale, white) and torch.equal(dark, black)
    assert (black - white).abs().max() > 0.01


def test_learning_a_few_by_heart_costs_elsewhere(trainer):
    """What the chapter says: in training it falls, held out it rises."""
    drawn = black_and_white(8, 4)
    terms = trainer.evaluate(
        """({ bytes, drawings }) => {
          const packed = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
          drawings.greys = Uint8Array.from(drawings.greys);
          const settings = { beta: 1, prior: true, seed: 0, source: "mine", times: 1 };
          const run = trainer.newRun(packed, settings, drawings);
          return Array.from({ length: 6 }, () => {
            trainer.trainEpoch(run);
            const { trained, held } = trainer.report(run, drawings);
            return [trained, held].map(([nll, kl]) => nll + kl);
          });
        }""",
        {
            "bytes": base64.b64encode(digits_figure().packed).decode(),
            "drawings": {
                "ids": list(range(8)),
                "greys": (15 * drawn).int().flatten().tolist(),
            },
        },
    )
    trained, held = zip(*terms, strict=True)
    assert trained[-1] < trained[0] / 2
    assert held[-1] > held[0] > 100


# ---- the figure ----


def opened(page, figure=None, **options):
    harness.show(
        page, figure or examples.train_vae(), exports="TRAINER, likeMnist, storeOf", **options
    )
    page.evaluate(LISTEN)
    if page.locator(".vw-board").is_hidden():
        page.get_by_role("button", name="Your own digits").click()
    harness.settle(page)
    return page


def ready(**options) -> TrainVAE:
    """A figure whose digits are on the page."""
    figure = digits_figure(**options)
    figure.asked = True
    return figure


def add(page, *shapes):
    for shape in shapes:
        page.locator(".vw-board").scroll_into_view_if_needed()
        harness.drag(page, page.locator(".vw-board"), *shape)
        page.get_by_role("button", name="Add", exact=True).click()
    harness.settle(page)


def choose(page, name: str):
    page.get_by_role("button", name=name, exact=True).click()


def train_one(page, epoch: int = 1):
    page.get_by_role("button", name="One epoch").click()
    wait_for_epoch(page, epoch)
    page.locator(".vw-own-item .vw-digit:last-child:not(.vw-none)").first.wait_for()


def drawn_tiles(page) -> list[list[int]]:
    """The drawings in the row, in levels of grey from 0 to 15."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".vw-taker canvas")].map((canvas) => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, 14, 14);
          return Array.from({ length: 196 }, (_, i) => Math.round((255 - data[4 * i]) / 17));
        })"""
    )


def weight(page) -> str:
    return page.locator(".vw-own-choice .vw-note").inner_text()


def test_it_is_closed_until_it_is_asked_for(browser_page):
    page = harness.show(browser_page, examples.train_vae())
    opener = page.get_by_role("button", name="Your own digits")
    assert opener.get_attribute("aria-expanded") == "false"
    assert page.locator(".vw-board").is_hidden()
    opener.click()
    assert opener.get_attribute("aria-expanded") == "true"
    assert page.locator(".vw-board").is_visible()
    opener.click()
    assert page.locator(".vw-board").is_hidden()


def test_a_drawing_is_made_as_the_books_digits_were(browser_page):
    page = opened(browser_page)
    add(page, TRIANGLE)
    size = page.locator(".vw-board").bounding_box()["width"]
    strokes = [[[28 * u, 28 * v] for u, v in TRIANGLE]]
    ink = torch.tensor(page.evaluate("(s) => Array.from(module.likeMnist(s))", strokes))
    want = (15 * ink.reshape(14, 2, 14, 2).mean((1, 3))).round().flatten()
    got = torch.tensor(drawn_tiles(page)[0])
    assert got.max() >= 12
    assert (got - want).abs().max() <= 2 + 28 / size  # a pointer moves by whole pixels


def test_mine_alone_is_what_the_worker_trains_on(browser_page):
    page = opened(browser_page, ready())
    add(page, TRIANGLE, CROSS)
    choose(page, "Mine alone")
    assert harness.trait(page, "source") == "mine"
    assert "each comes 2,000 times: 4,000 in all" in weight(page)
    train_one(page)
    told = page.evaluate(TOLD)
    assert told["greys"] == [level for tile in drawn_tiles(page) for level in tile]
    assert told["settings"]["source"] == "mine"
    page.evaluate(LOAD)
    want = page.evaluate(
        """({ greys, ids, settings }) => {
          const bytes = new Uint8Array(model.get("digits").buffer);
          const drawings = { ids, greys: Uint8Array.from(greys) };
          const run = trainer.newRun(bytes, settings, drawings);
          trainer.trainEpoch(run);
          const { held, trained } = trainer.report(run, drawings);
          return [held, trained].map(([nll, kl]) => `${(nll + kl).toFixed(1)} nats`);
        }""",
        told,
    )
    shown = page.locator(".vw-train dd").all_inner_texts()
    assert shown[2:] == want, "held out, and in training on those drawings"
    assert "Dashed: in training, on yours alone" in page.locator(".vw-verdict").inner_text()


def test_a_drawing_taken_back_is_not_trained_on(browser_page):
    page = opened(browser_page, ready(source="both", times=3))
    add(page, TRIANGLE, CROSS)
    train_one(page)
    triangle, cross = drawn_tiles(page)
    assert page.evaluate(TOLD)["greys"] == triangle + cross
    assert "2 drawings × 3 = 6 of the 4,006 in each epoch: 0.1 %" in weight(page)
    page.get_by_role("button", name="take back drawing 1").click()
    wait_for_epoch(page, 0)
    assert epoch_slider(page).get_attribute("max") == "0", "the run begins anew"
    assert drawn_tiles(page) == [cross]
    assert page.evaluate(TOLD)["greys"] == cross
    assert told(page) == "Taken back: 1 drawing left. The run begins anew."
    assert "1 drawing × 3 = 3 of the 4,003" in weight(page)
    choose(page, "Take all back")
    assert page.evaluate(TOLD)["greys"] == []


# The pixels of the map stay in the page, in kept. Where others differ: the middle, in the plane's
# units, and their colours.
KEEP = """() => {
  const canvas = document.querySelector(".vw-map canvas");
  const context = canvas.getContext("2d");
  window.pixels = () => context.getImageData(0, 0, canvas.width, canvas.height).data;
  window.kept = pixels();
}"""
SAME = "pixels().every((level, i) => level === kept[i])"
OTHERS = """() => {
  const { width, height } = document.querySelector(".vw-map canvas");
  const [data, places] = [pixels(), new Set()];
  data.forEach((level, i) => level !== kept[i] && places.add(i >> 2));
  const [xs, ys] = [[], []], colours = new Set();
  for (const i of places) {
    xs.push(i % width);
    ys.push(Math.floor(i / width));
    colours.add(data.slice(4 * i, 4 * i + 4).join());
  }
  const middle = (of) => (Math.min(...of) + Math.max(...of) + 1) / 2;
  const reach = parseFloat(document.querySelector(".vw-end.right").textContent.split("=")[1]);
  const code = [2 * reach * middle(xs) / width - reach, reach - 2 * reach * middle(ys) / height];
  return { code, colours: [...colours] };
}"""


def test_the_map_shows_a_drawing_where_its_code_is_and_the_run_goes_on(browser_page):
    page = opened(browser_page, ready())
    page.get_by_role("button", name="One epoch").click()
    wait_for_epoch(page, 1)
    page.get_by_role("button", name="One epoch").click()
    wait_for_epoch(page, 2)
    page.evaluate(KEEP)
    numbers = page.locator(".vw-readings").inner_text()
    key = page.locator(".vw-map .vw-key")
    assert key.is_hidden()
    add(page, TRIANGLE)
    key.wait_for()
    harness.settle(page)
    assert epoch_slider(page).get_attribute("max") == "2", "nothing begins anew"
    assert page.locator(".vw-readings").inner_text() == numbers
    page.evaluate(LOAD)
    told = page.evaluate(TOLD)
    code = page.evaluate(
        """({ greys, ids }) => {
          const settings = { beta: 1, prior: true, seed: 0, source: "book", times: 1 };
          const run = trainer.newRun(new Uint8Array(model.get("digits").buffer), settings);
          trainer.trainEpoch(run);
          trainer.trainEpoch(run);
          const drawings = { ids, greys: Uint8Array.from(greys) };
          return Array.from(trainer.report(run, drawings).look.codes);
        }""",
        told,
    )
    assert page.evaluate(OTHERS)["code"] == pytest.approx(code, abs=0.05)
    assert "your 1 drawing as diamonds" in page.locator(".vw-plane").get_attribute("aria-label")
    copy = page.locator(".vw-own-item > .vw-digit")
    assert copy.is_visible()
    second = copy.evaluate("(canvas) => canvas.toDataURL()")
    epoch_slider(page).press("Home")
    assert copy.is_visible() and copy.evaluate("(canvas) => canvas.toDataURL()") != second
    epoch_slider(page).press("End")
    page.get_by_role("button", name="take back drawing 1").click()
    key.wait_for(state="hidden")
    harness.settle(page)
    assert page.evaluate(SAME)


def test_by_keyboard_alone(browser_page):
    page = harness.show(browser_page, ready())
    page.get_by_role("button", name="Your own digits").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "vw-board"
    for turn in ("ArrowRight", "ArrowDown"):
        page.keyboard.press("Space")
        for _ in range(6):
            page.keyboard.press(turn)
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
    harness.settle(page)
    across, down = (torch.tensor(tile).reshape(14, 14) > 7 for tile in drawn_tiles(page))
    assert across.any(0).sum() > across.any(1).sum() and down.any(1).sum() > down.any(0).sum()
    assert page.evaluate("document.activeElement.className") == "vw-board", "to draw the next"
    for name in ("Add", "Clear", "The book’s digits", "The book’s and mine"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == name
    page.keyboard.press("Enter")
    assert harness.trait(page, "source") == "both"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert harness.trait(page, "times") == 21
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert len(drawn_tiles(page)) == 1
    name = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(name) == "take back drawing 1", "the focus goes to the next"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.className") == "vw-board"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").endswith(
        "Enter adds the drawing."
    )


def test_an_empty_board_adds_nothing_and_there_is_room_for_sixty(new_page):
    page = opened(new_page(viewport={"width": 375, "height": 800}))
    choose(page, "Add")
    assert page.get_by_text("Nothing is drawn on the board yet.").first.is_visible()
    page.locator(".vw-board").focus()
    for _ in range(61):
        for key in ("Space", "ArrowRight", "Space", "Enter"):
            page.keyboard.press(key)
    assert len(drawn_tiles(page)) == 60
    assert page.get_by_text("There is room for 60 drawings").first.is_visible()
    row = page.locator(".vw-own .vw-row")
    assert row.bounding_box()["height"] < 400, "they are scrolled"
    page.get_by_role("button", name="take back drawing 60").focus()
    inside = page.evaluate("document.activeElement.getBoundingClientRect().bottom")
    assert inside <= row.bounding_box()["y"] + row.bounding_box()["height"] + 1


def test_mine_alone_without_a_drawing_trains_nothing_and_says_so(browser_page):
    page = started(browser_page, digits_figure())
    wait_for_epoch(page, 1)
    page.evaluate("model.set('source', 'mine')")  # as a kernel, or another view, does
    wait_for_epoch(page, 0)
    page.get_by_role("button", name="Train", exact=True).click()
    assert page.get_by_text("nothing to train on yet").first.is_visible()
    assert page.get_by_role("button", name="Train", exact=True).is_visible()
    page.wait_for_timeout(500)
    assert epoch_slider(page).get_attribute("max") == "0"


def test_a_link_holds_the_setting_and_no_drawing(new_page):
    link = "#train=source:mine,times:7"
    page = harness.show(new_page(), ready(), book=True, link=link)
    assert harness.trait(page, "source") == "mine" and harness.trait(page, "times") == 7
    assert page.locator(".vw-board").is_visible()
    page.get_by_role("button", name="One epoch").click()
    assert page.get_by_text("nothing to train on yet").first.is_visible()
    add(page, TRIANGLE)
    assert page.evaluate("location.hash") == link, "adding a drawing leaves the address alone"
    train_one(page)
    choose(page, "The book’s and mine")
    assert page.evaluate("location.hash") == "#train=beta:1,prior:1,seed:0,source:both,times:7"
    choose(page, "The book’s digits")
    assert page.evaluate("location.hash") == "#train=beta:1,prior:1,seed:0"


def test_drawings_stay_in_the_page_through_reset_and_in_every_view(browser_page):
    page = opened(browser_page, ready())
    saved = page.evaluate("model.saved")
    add(page, TRIANGLE, CROSS)
    assert page.evaluate("model.saved") == saved, "Python hears nothing of them"
    kept = drawn_tiles(page)
    page.get_by_role("button", name="Reset", exact=True).click()
    assert drawn_tiles(page) == kept
    page.evaluate(
        """async () => {
          leave();
          if (module.storeOf(model).heard.size) throw new Error("a view that has gone still hears");
          document.getElementById("host").replaceChildren();
          for (const id of ["host", "second"]) {
            const el = document.getElementById(id) ?? document.body.appendChild(document.createElement("div"));
            await module.default.render({ model, el });
          }
        }"""  # noqa: E501
    )
    harness.settle(page)
    assert drawn_tiles(page) == [*kept, *kept]
    page.get_by_role("button", name="Your own digits (2)").first.click()
    page.get_by_role("button", name="take back drawing 1").first.click()
    assert drawn_tiles(page) == [kept[1], kept[1]]
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_drawings_change_while_it_trains(browser_page):
    page = opened(browser_page, ready())
    add(page, TRIANGLE)
    page.get_by_role("button", name="Train", exact=True).click()
    wait_for_epoch(page, 1)
    add(page, CROSS)  # not trained on: looked at, and on it goes
    ended = int(epoch_slider(page).get_attribute("max"))
    wait_for_epoch(page, ended + 1)
    assert page.locator(".vw-own-item > .vw-digit:not(.vw-none)").count() == 2
    choose(page, "Mine alone")
    assert page.get_by_role("button", name="Train", exact=True).is_visible(), "as another β does"
    train_one(page)
    page.get_by_role("button", name="Train", exact=True).click()
    wait_for_epoch(page, 2)
    add(page, CROSS)
    assert page.get_by_role("button", name="Train", exact=True).is_visible()
    train_one(page)
    assert len(page.evaluate(TOLD)["ids"]) == 3


def test_a_finger_draws_and_it_fits_a_telephone(new_page):
    page = new_page(has_touch=True, viewport={"width": 375, "height": 800})
    opened(page)
    for shape in [TRIANGLE, CROSS] * 5:
        harness.swipe(page, page.locator(".vw-board"), *shape)
        choose(page, "Add")
    assert len(drawn_tiles(page)) == 10
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    outside = page.evaluate(
        """() => [...document.querySelectorAll(".vw :is(button, input, canvas, p)")]
          .filter((node) => node.getBoundingClientRect().right > innerWidth).length"""
    )
    assert outside == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_when_it_is_open(new_page, theme):
    page = opened(new_page(), theme=theme)
    add(page, TRIANGLE, CROSS)
    choose(page, "The book’s and mine")
    options = {"rules": {rule: {"enabled": False} for rule in ("page-has-heading-one", "region")}}
    violations = Axe().run(page, options=options).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"]) for v in violations] == []


def test_forced_colours_keep_the_drawings_apart_from_the_dots(new_page):
    page = opened(new_page(forced_colors="active"), ready())
    page.get_by_role("button", name="One epoch").click()
    wait_for_epoch(page, 1)
    page.evaluate(KEEP)
    add(page, TRIANGLE)
    page.locator(".vw-map .vw-key").wait_for()
    harness.settle(page)
    now = page.evaluate(OTHERS)["colours"]
    assert {"255,255,255,255", "0,0,0,255"} <= set(now), "paper, with a line about it"


# ---- the figure, with a worker that answers when the test says so ----

SLOW = """() => {
  window.waiting = []; // what the worker is asked
  window.ended = 0;
  window.codes = []; // of the drawings
  let [epoch, ids] = [0, []];
  window.Worker = class {
    constructor() {
      window.worker = this;
    }
    postMessage(message) {
      waiting.push(message);
    }
    terminate() {
      ended += 1;
    }
  };
  const look = () => ({ ids, codes: Float32Array.from(codes), copies: new Uint8Array(196 * ids.length) });
  window.answer = () => {
    const { ticket, settings, drawings } = waiting.shift();
    ids = drawings?.ids ?? ids;
    if (drawings && !settings) {
      return worker.onmessage({ data: { ticket, looks: Array.from({ length: epoch + 1 }, look) } });
    }
    epoch = settings ? 0 : epoch + 1;
    const [held, trained] = [[30 - epoch, 3], epoch ? [20, 2] : null];
    const [copies, draws] = [new Uint8Array(1960), new Uint8Array(1960)];
    const report = { epoch, held, trained, codes: new Float32Array(2000), copies, draws, look: look() };
    worker.onmessage({ data: { ticket, ...report } });
  };
}"""  # noqa: E501


def slow(page, figure=None):
    """The figure open, with such a worker."""
    opened(page, figure or ready()).evaluate(SLOW)
    return page


def press(page, *names):
    """At once: nothing comes in between."""
    page.evaluate(
        """(names) => names.forEach((name) => [...document.querySelectorAll("button")]
          .find((button) => button.textContent === name).click())""",
        list(names),
    )


def answer(page, times: int = 1):
    for _ in range(times):
        page.evaluate("answer()")
    harness.settle(page)


def waiting(page) -> int:
    return page.evaluate("waiting.length")


def told(page) -> str:
    page.wait_for_timeout(500)  # the announcer waits for what follows
    return page.evaluate("document.querySelector('[aria-live]').textContent")


@pytest.mark.parametrize(("first", "then"), [("One epoch", "Mine alone"), ("Train", "Pause")])
def test_what_is_given_up_while_the_digits_load_is_not_trained(browser_page, first, then):
    page = slow(browser_page, figure := digits_figure())
    press(page, first)
    page.get_by_text("on their way").wait_for()
    press(page, then)
    figure.asked = True
    harness.push(page, figure, "digits")
    page.wait_for_function("waiting.length === 1")
    answer(page)
    assert waiting(page) == 0, "no epoch is asked for"
    assert "undefined" not in page.inner_text(".vw") and "NaN" not in page.inner_html(".vw")
    press(page, "The book’s digits", "One epoch")
    page.wait_for_function("waiting.length > 0")


def test_a_run_begun_anew_in_the_middle_of_an_epoch_has_one_epoch_under_way(browser_page):
    page = slow(browser_page)
    press(page, "Train")
    page.wait_for_function("waiting.length === 1")
    answer(page, 3)
    assert waiting(page) == 1, "the epoch after"
    press(page, "Reset", "Train")
    page.wait_for_function("waiting.length === 2")
    answer(page)  # of the run that was given up
    assert epoch_slider(page).get_attribute("max") == "0" and waiting(page) == 1
    for epoch in range(4):
        answer(page)
        assert epoch_slider(page).get_attribute("max") == str(epoch)
        assert waiting(page) == 1


def test_an_epoch_that_waits_is_forgotten_by_reset(browser_page):
    page = slow(browser_page)
    press(page, "One epoch", "One epoch")
    page.wait_for_function("waiting.length === 1")
    press(page, "Reset")
    answer(page, 2)
    assert waiting(page) == 0


def test_sixty_epochs_are_all_and_the_next_press_begins_anew(browser_page):
    page = slow(browser_page)
    press(page, "Train")
    page.wait_for_function("waiting.length === 1")
    answer(page, 61)
    assert waiting(page) == 0
    assert page.get_by_text("60 epochs are done.").first.is_visible()
    press(page, "Train")
    page.wait_for_function("waiting.length === 1")
    assert page.get_by_role("button", name="Pause").is_visible()
    assert page.get_by_text("60 epochs are done.").first.is_hidden()
    answer(page, 3)
    assert waiting(page) == 1 and epoch_slider(page).get_attribute("max") == "2"
    press(page, "Pause")
    answer(page)
    press(page, "One epoch")
    page.wait_for_function("waiting.length === 1")


def test_the_reader_is_told_when_a_drawing_gives_up_a_run(browser_page):
    page = slow(browser_page, ready(source="both"))
    add(page, TRIANGLE)
    assert told(page) == "Added: 1 drawing."
    press(page, "One epoch")
    page.wait_for_function("waiting.length === 1")
    answer(page, 2)
    add(page, CROSS)
    assert told(page) == "Added: 2 drawings. The run begins anew."
    answer(page)
    assert told(page) == "Added: 2 drawings. The run begins anew.", "not that no epoch is done"
    press(page, "The book’s digits", "One epoch")
    answer(page, 2)
    press(page, "Take all back")
    assert told(page) == "All drawings are taken back.", "it was not trained on them"


def test_a_drawing_added_later_is_looked_at_in_the_epoch_that_is_shown(browser_page):
    page = slow(browser_page)
    press(page, "Train")
    page.wait_for_function("waiting.length === 1")
    answer(page, 3)
    press(page, "Pause")
    answer(page)
    epoch_slider(page).press("Home")
    page.evaluate("codes = [7.5, 0]")
    add(page, TRIANGLE)
    answer(page)
    assert epoch_slider(page).input_value() == "0"
    assert page.locator(".vw-end.right").first.inner_text().endswith("8"), "the map has room for it"


MIDDLE_PIXEL = """() => {
  const canvas = document.querySelector(".vw-map canvas");
  const at = [canvas.width / 2, canvas.height / 2].map(Math.round);
  return canvas.getContext("2d").getImageData(...at, 1, 1).data[0];
}"""


def test_of_two_drawings_in_one_place_the_one_looked_at_is_in_front(browser_page):
    page = slow(browser_page)
    page.evaluate("codes = [0, 0, 0, 0]")
    add(page, TRIANGLE, CROSS)
    press(page, "One epoch")
    page.wait_for_function("waiting.length === 1")
    answer(page, 2)
    page.mouse.move(0, 0)
    harness.settle(page)
    page.evaluate(KEEP)
    assert page.evaluate(MIDDLE_PIXEL) > 200, "paper"
    for k in (1, 2):
        taker = page.get_by_role("button", name=f"take back drawing {k}")
        taker.focus()
        harness.settle(page)
        assert page.evaluate(MIDDLE_PIXEL) < 100, "ink"
        taker.blur()
        harness.settle(page)
        assert page.evaluate(SAME)


def test_words_agree_with_how_many_there_are(browser_page):
    page = slow(browser_page)
    slider = page.get_by_label("each of mine counts")
    assert slider.is_hidden()
    add(page, TRIANGLE)
    assert weight(page) == "Not trained on, only placed on the map: 1 drawing."
    choose(page, "Mine alone")
    assert weight(page) == "In an epoch each comes 4,000 times: 4,000 in all."
    assert slider.is_hidden()
    choose(page, "The book’s and mine")
    assert slider.is_visible()
    choose(page, "Take all back")
    press(page, "One epoch")
    page.wait_for_function("waiting.length > 0")
    answer(page, waiting(page))
    answer(page)
    assert "Dashed: in training, on the book’s digits." in page.locator(".vw-verdict").inner_text()


def test_a_view_that_goes_while_the_digits_load_leaves_no_worker(browser_page):
    page = slow(browser_page, figure := digits_figure())
    press(page, "One epoch")
    page.get_by_text("on their way").wait_for()
    page.evaluate("leave()")
    figure.asked = True
    harness.push(page, figure, "digits")
    page.wait_for_function("window.worker")
    assert page.evaluate("ended") == 1


def test_enter_held_down_adds_once(browser_page):
    page = opened(browser_page)
    page.locator(".vw-board").focus()
    for key in ("Space", "ArrowRight", "Space"):
        page.keyboard.press(key)
    for _ in range(3):
        page.keyboard.down("Enter")
    assert told(page) == "Added: 1 drawing."


@pytest.mark.parametrize(("count", "each"), [(1, 4000), (3, 1333), (60, 67)])
def test_drawings_alone_make_an_epoch_as_long_as_the_books(browser_page, count, each):
    page = harness.show(browser_page, examples.train_vae(), exports="epochOf, shrunk")
    epoch = page.evaluate("(count) => module.epochOf('mine', 1, count)", count)
    assert epoch == {"book": 0, "each": each, "all": each * count}
    half = page.evaluate("Array.from(module.shrunk(new Float32Array(784).fill(0.5)))")
    assert half == [8] * 196, "7.5, rounded up"
