"""Train the flagship on the full MNIST, and measure it on the 10,000 test digits.

    export VAE_LIB_DATA=path/to/mnist                            # holds MNIST/raw
    python benchmarks/train_flagship.py one-layer                # train, then measure
    python benchmarks/train_flagship.py one-layer --minutes 30   # a piece: say it again to go on
    python benchmarks/train_flagship.py --table                  # of benchmarks/results/*.json
    python benchmarks/train_flagship.py --curves                 # their curves, for chapter 11
    python benchmarks/train_flagship.py one-layer --ship         # its weights, to vae_lib/weights
    torchrun --nproc-per-node=2 benchmarks/train_flagship.py one-layer

The 1,000 held-out digits of the embedded set are found among MNIST's 60,000 and left out. Of the
other 59,000 a seeded 4,000 choose the checkpoint, and 55,000 train. The test digits are looked at
once, by the weights that ship: rounded to float16. Binarisation is dynamic. A run's JSON tells
settings, versions, machine, seconds, the curve on the validation digits, and the test's numbers.

A run first maximises the ELBO by one sample, with β rising to 1, and then the bound of K samples
by the doubly reparameterised gradient. Adam's step size falls by a cosine. What is validated and
kept is the running average of the weights. On a GPU a step is captured once as a CUDA graph and
replayed: these networks are too small for one kernel launch at a time. A run that is stopped goes
on as if it had not been, bit for bit on a CPU.
"""

import argparse
import copy
import json
import math
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from vae_lib.bounds import doubly_reparameterised, elbo, iwae_bound, noise
from vae_lib.checkpoints import (
    SHIPPED,
    describe,
    load_checkpoint,
    pack_optimiser,
    read_card,
    read_tensors,
    save_checkpoint,
    write_curves,
    write_tensors,
)
from vae_lib.data import batches, binarise, draw_pixels, load_digits, load_mnist
from vae_lib.evaluation import log_likelihood
from vae_lib.flagship import FlagshipVAE, TwoLayerVAE
from vae_lib.training import pick_device

RESULTS = Path(__file__).with_name("results")  # a JSON a run
WORK = Path(__file__).parents[1] / "_build" / "flagship"  # weights, and what it takes to go on
VALIDATION, TEST_SAMPLES, AVERAGED = 4_000, 5_000, 0.999


@dataclass(frozen=True)
class Recipe:
    """One run. ``single`` is the share of the epochs that have one sample a digit.

    ``half``: the networks train in bfloat16 on a CPU too, about twice as fast where it has the
    instructions for it.
    """

    model: dict[str, Any]
    epochs: int
    layers: int = 1
    batch: int = 256
    lr: float = 3e-3
    samples: int = 4
    single: float = 0.1
    warmup: int = 10
    clip: float = 100.0
    seed: int = 0
    half: bool = False

    def build(self) -> FlagshipVAE:
        return (TwoLayerVAE if self.layers == 2 else FlagshipVAE)(**self.model, seed=self.seed)


GATED = {"latent": 40, "hidden": (300, 300), "net": "gated"}
RESIDUAL = {"hidden": (32, 64, 256), "net": "residual"}
RECIPES = {
    # about six minutes on two cores that have bfloat16
    "quick": Recipe(GATED, 180, lr=4e-3, single=1.0, half=True),
    "quick-mixture": Recipe(GATED | {"components": 200}, 180, lr=4e-3, single=1.0, half=True),
    # minutes on one GPU, a day or so on two cores
    "gated": Recipe(GATED, 200, lr=2e-3, samples=8),
    "gated-mixture": Recipe(GATED | {"components": 500}, 200, lr=2e-3, samples=8),
    "one-layer": Recipe(RESIDUAL | {"latent": 40}, 130),
    "one-layer-mixture": Recipe(RESIDUAL | {"latent": 40, "components": 500}, 130),
    "two-layers": Recipe(RESIDUAL | {"layers": (40, 40), "components": 500}, 130, layers=2),
}


# ---- data ---------------------------------------------------------------------------------------


def without(images: Tensor, others: Tensor) -> Tensor:
    """The rows of ``images`` that are not among ``others``, in order."""
    known = {bytes(row) for row in _bytes(others)}
    return images[torch.tensor([bytes(row) not in known for row in _bytes(images)])]


def _bytes(images: Tensor) -> Any:
    return (images * 255).round().to(torch.uint8).numpy()


def split(root: str | None = None) -> tuple[Tensor, Tensor]:
    """MNIST's training set without the 1,000 held-out digits: 55,000 to train, 4,000 to choose."""
    images = load_mnist("train", root).images
    rest = without(images, load_digits("heldout").images)
    if len(images) - len(rest) != 1_000:
        raise ValueError(f"{len(images) - len(rest)} digits were left out, not the 1,000 held out")
    order = torch.randperm(len(rest), generator=torch.Generator().manual_seed(0))
    return rest[order[VALIDATION:]], rest[order[:VALIDATION]]


# ---- training -----------------------------------------------------------------------------------


def rank_and_size() -> tuple[int, int]:
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def half(device: torch.device, dtype: torch.dtype, on_cpu: bool = False) -> torch.autocast:
    """Half precision in the networks on a GPU; likelihoods, priors and q stay in float32."""
    kind = "cuda" if device.type == "cuda" else "cpu"
    return torch.autocast(kind, dtype, enabled=kind == "cuda" or on_cpu)


@dataclass
class Run:
    """A training: model, running average, optimiser and generator, and where it stands."""

    recipe: Recipe
    train: Tensor
    validation: Tensor
    device: torch.device
    graphs: bool = True
    rows: list[dict[str, float]] = field(default_factory=list)
    epoch: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        recipe, device = self.recipe, self.device
        if recipe.batch % rank_and_size()[1]:
            raise ValueError(
                f"{rank_and_size()[1]} processes cannot share batches of {recipe.batch}"
            )
        self.model = recipe.build().to(device)
        if device.type == "cuda":
            torch.backends.cudnn.deterministic = True
            self.model.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.best = copy.deepcopy(self.average)
        self.weights = list(self.model.parameters())
        self.optimiser = torch.optim.Adam(
            self.weights,
            lr=torch.tensor(recipe.lr, device=device),
            fused=True,
            capturable=device.type == "cuda",
        )
        self._begin_moments()
        self.generator = torch.Generator(device).manual_seed(recipe.seed)
        self.train, self.validation = self.train.to(device), self.validation.to(device)
        self.steps = len(self.train) // recipe.batch
        shape = (self.steps, recipe.batch)
        self.order = torch.zeros(shape, dtype=torch.int64, device=device)
        self.place = torch.zeros(1, dtype=torch.int64, device=device)
        self.beta, self.total = torch.zeros((), device=device), torch.zeros((), device=device)
        self.captured: dict[bool, torch.cuda.CUDAGraph] = {}

    def _begin_moments(self) -> None:
        """Adam makes its state at the first step: one of length 0 leaves the weights alone."""
        for weight in self.weights:
            weight.grad = torch.zeros_like(weight)
        self.optimiser.step()
        for state in self.optimiser.state.values():
            state["step"].zero_()

    def step(self, single: bool) -> None:
        """One step of Adam on the next batch, of which each process takes its share."""
        rank, size = rank_and_size()
        chosen = self.order.index_select(0, self.place)[0]
        x = draw_pixels(self.train.index_select(0, chosen), self.generator)
        eps = noise(self.model, x, self.generator, 1 if single else self.recipe.samples)
        x, eps = x[rank::size], eps[:, rank::size]
        with half(self.device, torch.bfloat16, self.recipe.half):
            if single:
                bound = elbo(self.model, x, eps, self.beta).elbo  # type: ignore[arg-type]
            else:
                bound = doubly_reparameterised(self.model, x, eps)
        self.optimiser.zero_grad()
        (-bound.mean()).backward()
        if size > 1:
            for weight in self.weights:
                dist.all_reduce(weight.grad)
                weight.grad /= size
        length = torch.nn.utils.clip_grad_norm_(self.weights, self.recipe.clip)
        self.optimiser.found_inf = 1 - length.isfinite().float()  # Adam then takes no step
        self.optimiser.step()
        torch._foreach_lerp_(list(self.average.parameters()), self.weights, 1 - AVERAGED)
        self.place += 1
        self.total -= bound.detach().mean().nan_to_num(0.0, 0.0, 0.0)

    def state(self) -> dict[str, Tensor]:
        """All that training moves, by name; the tensors themselves."""
        moments, _ = pack_optimiser(self.optimiser)
        return {
            **{f"model.{name}": w for name, w in self.model.state_dict().items()},
            **{f"average.{name}": w for name, w in self.average.state_dict().items()},
            **{f"best.{name}": w for name, w in self.best.state_dict().items()},
            **{f"optimiser.{name}": w for name, w in moments.items()},
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in self.state().items():
                tensor.copy_(tensors[name])
        self.generator.set_state(tensors["generator"].cpu())

    def snapshot(self) -> dict[str, Tensor]:
        own = {name: tensor.detach().clone() for name, tensor in self.state().items()}
        return own | {"generator": self.generator.get_state()}

    def capture(self, single: bool) -> torch.cuda.CUDAGraph:
        """A step as a CUDA graph. The steps that warm it up are taken back."""
        before, self.captured = self.snapshot(), {}
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.place.zero_()
                self.step(single)
        torch.cuda.current_stream().wait_stream(stream)
        self.optimiser.zero_grad()
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        with torch.cuda.graph(graph):
            self.step(single)
        torch.cuda.synchronize()
        self.restore(before)
        return graph

    def train_epoch(self) -> float:
        """One epoch; the average loss in nats per digit."""
        recipe, part = self.recipe, self.epoch / self.recipe.epochs
        single = part < recipe.single
        if self.device.type == "cuda" and self.graphs and single not in self.captured:
            self.captured[single] = self.capture(single)
        rate = recipe.lr * (0.5 + 0.5 * math.cos(math.pi * part)) * min(1, (self.epoch + 1) / 3)
        for group in self.optimiser.param_groups:
            group["lr"].fill_(rate)
        self.beta.fill_(min(1.0, (self.epoch + 0.5) / recipe.warmup))
        count = self.order.numel()
        order = torch.randperm(len(self.train), generator=self.generator, device=self.device)
        self.order.copy_(order[:count].view_as(self.order))
        self.place.zero_()
        self.total.zero_()
        for _ in range(self.steps):
            if self.captured:
                self.captured[single].replay()
            else:
                self.step(single)
        if self.epoch < 3:  # the average forgets where it began
            for mean, weight in zip(self.average.parameters(), self.weights, strict=True):
                mean.copy_(weight.detach())
        self.epoch += 1
        return float(self.total) / self.steps

    @torch.no_grad()
    def validate(self, samples: int = 20) -> float:
        """Minus the bound of 20 samples on the validation digits, by the averaged weights."""
        generator = torch.Generator(self.device).manual_seed(1)
        total = 0.0
        for part in batches(draw_pixels(self.validation, generator), 500):
            eps = noise(self.average, part, generator, samples)
            with half(self.device, torch.float16):
                total -= float(iwae_bound(self.average, part, eps).double().sum())
        return total / len(self.validation)

    def train_until(self, path: Path, deadline: float = math.inf) -> bool:
        """Train to the last epoch, or until the clock passes ``deadline``; whether it is done.

        Saves after each validation, and when time is up.
        """
        every, last = max(1, self.recipe.epochs // 40), self.recipe.epochs
        rank, _ = rank_and_size()
        late = not self.in_time(deadline)
        while self.epoch < last and not late:
            start = time.perf_counter()
            loss = self.train_epoch()
            self.seconds += time.perf_counter() - start
            late = not self.in_time(deadline)
            if self.epoch % every == 0 or self.epoch == last or late:
                row = {"epoch": self.epoch, "seconds": round(self.seconds, 1)}
                row |= {"train": round(loss, 3), "validation": round(self.validate(), 3)}
                if not math.isfinite(row["validation"]):
                    raise FloatingPointError(f"the bound is lost in epoch {self.epoch}: lower lr")
                if all(row["validation"] < other["validation"] for other in self.rows):
                    self.best.load_state_dict(self.average.state_dict())
                self.rows.append(row)
                if rank == 0:
                    self.save(path)
                    print(path.stem, json.dumps(row), flush=True)
        return self.epoch == last

    def in_time(self, deadline: float) -> bool:
        """Whether the clock is before ``deadline``, in every process: they stop together."""
        late = torch.tensor(float(time.time() >= deadline), device=self.device)
        if dist.is_initialized():
            dist.all_reduce(late)
        return float(late) == 0

    def told(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        own = {"recipe": asdict(self.recipe), "digits": list(self.train.shape)}
        told: dict[str, Any] = json.loads(json.dumps(own))
        return told

    def save(self, path: Path) -> None:
        """The best weights in float16, the curve so far, and what it takes to go on."""
        curve = {"run": self.told(), "rows": self.rows}
        save_checkpoint(copy.deepcopy(self.best).half(), path, curve)
        card = curve | {"epoch": self.epoch, "seconds": self.seconds}
        write_tensors(resume_path(path), self.snapshot(), card)

    def go_on(self, path: Path) -> None:
        """Take up the run whose state stands beside ``path``, if one does."""
        if not resume_path(path).exists():
            return
        tensors, card = read_tensors(resume_path(path))
        if card["run"] != self.told():
            raise ValueError(f"{resume_path(path)} belongs to another run: {card['run']}")
        self.restore(tensors)
        self.rows, self.epoch, self.seconds = card["rows"], card["epoch"], card["seconds"]


def resume_path(path: Path) -> Path:
    return path.with_suffix(".resume.safetensors")


# ---- measuring ----------------------------------------------------------------------------------


def measure(
    model: FlagshipVAE,
    images: Tensor,
    samples: int = TEST_SAMPLES,
    device: torch.device | str = "cpu",
    deadline: float = math.inf,
    chunk: int = 10_000,
) -> dict[str, Any]:
    """-log p(x) in nats by importance sampling, with its standard error over the digits.

    One binarisation, the same on every machine. On a GPU the networks compute in float16: their
    logits are rounded, and a Bernoulli with rounded logits is a distribution all the same.
    Stops after the thousand digits in which the clock passes ``deadline``.
    """
    device = torch.device(device)
    model = model.to(device).eval()
    x = binarise(images, torch.Generator().manual_seed(0)).to(device)
    generator, start = torch.Generator(device).manual_seed(0), time.perf_counter()
    values, errors = [], []
    for part in torch.split(x, 1_000):
        with half(device, torch.float16):
            estimate = log_likelihood(model, part, generator, samples, chunk)
        values.append(-estimate.log_px)
        errors.append(estimate.standard_error)
        if time.time() > deadline:
            break
    nll, error = torch.cat(values), torch.cat(errors)
    return {
        "nll": round(float(nll.mean()), 3),
        "standard_error": round(float(nll.std()) / len(nll) ** 0.5, 3),
        "digits": len(nll),
        "samples": samples,
        # by the delta method, which sees too little where few weights decide
        "sampling_bias": round(float((error**2).mean()) / 2, 3),
        "seconds": round(time.perf_counter() - start, 1),
    }


def machine(device: torch.device, runs: int) -> dict[str, Any]:
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    cores = os.cpu_count()
    return {"gpu": gpu, "cores": cores, "processor": platform.machine(), "runs_at_once": runs}


def label(name: str, recipe: Recipe) -> str:
    """What a run is called: its recipe, and the seed where it is not the recipe's own."""
    return f"{name}-seed-{recipe.seed}" if recipe.seed != RECIPES[name].seed else name


def report(name: str, run: Run, measured: dict[str, Any], folder: Path, runs: int = 1) -> Path:
    """Write a run's JSON; its seconds are those of a machine shared by so many ``runs``."""
    best = min(run.rows, key=lambda row: row["validation"])
    command = f"python benchmarks/train_flagship.py {name}"
    if (own := label(name, run.recipe)) != name:
        command += f" --change '{{\"seed\": {run.recipe.seed}}}'"
    told = {
        "name": own,
        "command": command,
        **run.told(),
        "data": "MNIST: 55,000 to train, 4,000 to choose the checkpoint, 1,000 left out",
        "binarisation": "dynamic",
        "weights": sum(weight.numel() for weight in run.weights),
        "machine": machine(run.device, runs),
        "versions": describe(run.model)["versions"],
        "seconds": round(run.seconds, 1),
        "epochs_done": run.epoch,
        "best": best,
        "measured": measured,
        "curve": run.rows,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{own}.json"
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf8")
    return path


# ---- the command --------------------------------------------------------------------------------


def train(name: str, options: argparse.Namespace) -> None:
    start, device = time.time(), pick_device(options.device)
    stop = start + 60 * options.stop
    recipe = Recipe(**vars(RECIPES[name]) | json.loads(options.change))
    path = options.work / f"{label(name, recipe)}.safetensors"
    train, validation = split(options.root)
    run = Run(recipe, train, validation, device, graphs=rank_and_size()[1] == 1)
    run.go_on(path)
    done = run.train_until(path, start + 60 * options.minutes)
    wanted = {"never": False, "done": done, "anyway": True}[options.measure]
    if rank_and_size()[0] or not wanted:
        return
    model = load_checkpoint(path).float()
    # what a processor's cache holds is twice as fast for convolutions
    chunk = 100_000 if device.type == "cuda" else 300 if model.net == "residual" else 10_000
    measured = {}
    for what, images in {
        "test": load_mnist("test", options.root).images,
        "heldout": load_digits("heldout").images,
    }.items():
        measured[what] = measure(model, images, options.samples, device, stop, chunk)
        print(name, what, measured[what], flush=True)
        report(name, run, measured, options.results, options.runs)


def ship(name: str, work: Path, results: Path, folder: Path = SHIPPED) -> Path:
    """Copy a run's best weights, in float16, to ``folder``; the card is its JSON less the curve."""
    told = json.loads((results / f"{name}.json").read_text("utf8"))
    card = {key: value for key, value in told.items() if key not in ("curve", "versions")}
    card["trained with"] = told["versions"]
    model = load_checkpoint(work / f"{name}.safetensors")
    path = save_checkpoint(model, folder / f"flagship-{name}.safetensors", card)
    copy_of_card = json.dumps(read_card(path), indent=2, ensure_ascii=False) + "\n"
    path.with_suffix(".json").write_text(copy_of_card, "utf8")
    return path


def table(folder: Path = RESULTS) -> str:
    """The runs as a Markdown table, from their JSON files."""
    lines = ["| run | weights | minutes | test, nats | samples | machine |", "|" + " --- |" * 6]
    for path in sorted(folder.glob("*.json")):
        told = json.loads(path.read_text("utf8"))
        test, where = told["measured"]["test"], told["machine"]
        lines.append(
            f"| {told['name']} | {told['weights']:,} | {told['seconds'] / 60:.1f} | "
            f"{test['nll']:.2f} ± {test['standard_error']:.2f} | {test['samples']:,} | "
            f"{where['gpu'] or str(where['cores']) + ' cores'} |"
        )
    return "\n".join(lines)


def curves(folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Of each run: minutes of training, the bound of 20 samples on the validation digits, the test.

    They ship with the library, for a chapter that is read where ``benchmarks`` is not.
    """
    runs = []
    for path in sorted(folder.glob("*.json")):
        told = json.loads(path.read_text("utf8"))
        test, where = told["measured"]["test"], told["machine"]
        runs.append(
            {
                "run": told["name"],
                "machine": where["gpu"] or f"{where['cores']} cores",
                "minutes": [round(row["seconds"] / 60, 3) for row in told["curve"]],
                "nats": [row["validation"] for row in told["curve"]],
                "test": [test["nll"], test["standard_error"]],
            }
        )
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {sorted(RECIPES)}")
    parser.add_argument("--root", default=None, help="holds MNIST/raw; else VAE_LIB_DATA")
    parser.add_argument("--work", type=Path, default=WORK, help="for weights and states")
    parser.add_argument("--results", type=Path, default=RESULTS, help="for a JSON a run")
    parser.add_argument("--device", default=None)
    parser.add_argument("--minutes", type=float, default=math.inf, help="then stop, to go on later")
    parser.add_argument("--samples", type=int, default=TEST_SAMPLES, help="to measure with")
    parser.add_argument("--change", default="{}", help="settings of the recipe, as JSON")
    parser.add_argument("--measure", choices=("never", "done", "anyway"), default="done")
    parser.add_argument("--stop", type=float, default=math.inf, help="minutes: measure no further")
    parser.add_argument("--runs", type=int, default=1, help="how many share the machine: noted")
    parser.add_argument("--ship", action="store_true", help="copy weights that were measured")
    parser.add_argument("--table", action="store_true", help="print the table of the results")
    parser.add_argument("--curves", action="store_true", help="write the results' curves")
    options = parser.parse_args()
    if options.table:
        print(table(options.results))
    if options.curves:
        write_curves(curves(options.results))
    if unknown := set(options.names) - set(RECIPES):
        raise SystemExit(f"no recipe {sorted(unknown)}: there are {sorted(RECIPES)}")
    if "RANK" in os.environ:  # torchrun's
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    for name in options.names:
        if options.ship:
            print(ship(name, options.work, options.results))
        else:
            train(name, options)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
