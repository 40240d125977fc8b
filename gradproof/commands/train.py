"""`gradproof train`: networks trained on real images by hand-written derivatives, beside PyTorch and JAX."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gradproof.config import Project
    from gradproof.equation import Equation

BOUND = 1e-9  # of the difference from each framework's parameters
STEPS = 100  # after so many steps


@click.command(short_help="Train networks by their hand-written derivatives.")
@click.argument("networks", nargs=-1, metavar="[NETWORK]...")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Seed of split, start and batches.",
)
@click.option(
    "-k", "keyword", default="", metavar="EXPRESSION", help="Only networks whose name or title matches."
)
@click.option("-x", "first_failure", is_flag=True, help="Stop at the first network that is beyond its bound.")
@click.option("-q", "--quiet", is_flag=True, help="Only the last line of each network.")
def command(networks: tuple[str, ...], seed: int, keyword: str, first_failure: bool, quiet: bool) -> int:
    """Train each network on scanned digits by its hand-written derivatives, by PyTorch and by JAX.

    From the same start on the same batches, in float64. After every epoch: the loss, the accuracy on
    held-out images, and the largest difference max |a - b| / max |b| of a parameter array from each framework's.

    Exit code: 0 all within their bounds, 1 some are not, 5 nothing was selected.
    """
    from gradproof.config import find_project
    from gradproof.selection import select

    project = find_project()
    chosen = select(project.networks, networks, keyword, kind="network")
    started, beyond = time.monotonic(), []
    for network in chosen:
        if not _train(project, network, seed, quiet):
            beyond.append(network.name)
            if first_failure:
                break
    verdict = f"beyond its bound: {', '.join(beyond)}" if beyond else "all within their bounds"
    click.echo(f"{len(chosen)} networks in {time.monotonic() - started:.0f} s: {verdict}.")
    return 1 if beyond else 0


def _train(project: Project, network: Equation, seed: int, quiet: bool) -> bool:
    from gradproof import training
    from gradproof.errors import InputError
    from gradproof.lesson import lesson
    from gradproof.oracles import jax, torch

    forwards = project.reference(network.name)
    for name in ("torch", "jax"):
        if name not in forwards:
            raise InputError(
                f"network {network.name!r} has no {name} forward to train beside; add it to the references"
            )
    plan = lesson(network, seed)
    hand = training.by_hand(network, plan.static)
    gradients = {
        "numpy": hand,
        "torch": training.by_autograd(torch.vjp, forwards["torch"], plan.static),
        "jax": training.by_autograd(jax.vjp, forwards["jax"], plan.static),
    }
    count = sum(parameter.size for parameter in plan.start)
    if not quiet:
        images = f"{len(plan.x)} images, {len(plan.held_x)} held out, {count} parameters"
        click.echo(f"{network.name}: {plan.what}  {images}")
        click.echo("  epoch  steps    loss  held out     torch       jax")
    accuracy, marked = 0.0, {"torch": float("nan"), "jax": float("nan")}
    for epoch in training.train(
        gradients,
        plan.start,
        plan.x,
        plan.y,
        rate=plan.rate,
        batch=plan.batch,
        epochs=plan.epochs,
        seed=seed,
        mark=STEPS,
    ):
        if not quiet or epoch.number == plan.epochs:  # image by image, it costs as much as the epoch
            accuracy = float((training.predict(hand, plan.held_x, epoch.parameters) == plan.held_y).mean())
        marked.update(epoch.marked)
        if not quiet:
            differences = "".join(f"{epoch.difference[name]:10.1e}" for name in ("torch", "jax"))
            click.echo(
                f"  {epoch.number:5d}  {epoch.steps:5d}  {epoch.loss:6.4f}  {accuracy:8.1%}{differences}"
            )
    within = all(difference <= BOUND for difference in marked.values()) and accuracy >= plan.accuracy
    said = ", ".join(f"{name} {difference:.1e}" for name, difference in marked.items())
    bounds = f"(at most {BOUND:.0e}); {accuracy:.1%} right (at least {plan.accuracy:.0%})"
    click.echo(
        f"{network.name}: {'ok' if within else 'BEYOND ITS BOUND'}: after {STEPS} steps {said} {bounds}"
    )
    return within
