"""`gradproof check`: the declarations of a file, or a forward and its vjp named as module:function."""

from pathlib import Path

import click

# The engine is imported inside the command: help and a wrong option answer without it.


@click.command(short_help="Judge derivatives of your own.")
@click.argument("targets", nargs=-1, required=True, metavar="FILE... | MODULE:FORWARD MODULE:VJP")
@click.option("--shapes", metavar="TEXT", help='Shape string, such as "x: n d, w: d m -> z: n m".')
@click.option(
    "--domain",
    "domains",
    multiple=True,
    metavar="NAME=WORD",
    help="real (default), positive, probability, simplex, onehot, labels(10) or lo,hi. May be given again.",
)
@click.option("--constant", multiple=True, metavar="NAME", help="An input without a gradient. May be given again.")
@click.option("--torch", metavar="MODULE:FUNCTION", help="The same forward in PyTorch, as one more oracle.")
@click.option("--jax", metavar="MODULE:FUNCTION", help="The same forward in JAX, as one more oracle.")
@click.option("--strict", is_flag=True, help="Shared memory is wrong too (for a declaration it always is).")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Seed of the points.")
@click.option("--examples", type=click.IntRange(min=1), help="Points, each of another kind (default: 20).")
@click.option("-x", "first_failure", is_flag=True, help="Stop at the first declaration that is wrong.")
@click.option("-q", "--quiet", is_flag=True, help="Only what is wrong or undecided.")
def command(
    targets: tuple[str, ...],
    shapes: str | None,
    domains: tuple[str, ...],
    constant: tuple[str, ...],
    torch: str | None,
    jax: str | None,
    strict: bool,
    seed: int,
    examples: int | None,
    first_failure: bool,
    quiet: bool,
) -> int:
    """Judge derivatives of your own. RUNS THE CODE IT IS GIVEN: check only code that you would run yourself.

    \b
    gradproof check path/to/file.py
        every gradproof.Equation in the file, over its shapes and domains
    gradproof check layers:silu layers:silu_vjp --shapes "x: n d -> y: n d"
        forward(*inputs) and vjp(cotangent, *inputs), at float64 points drawn from
        the shape string and the domains; modules are found from the working folder

    Exit code: 0 all right, 1 something is wrong, 2 usage or code that cannot be used, 4 something is
    undecided, 5 the file declares nothing.
    """
    from gradproof import named
    from gradproof.errors import InputError
    from gradproof.reporting.report import COLOUR, exit_code
    from gradproof.reporting.screen import show
    from gradproof.verdict import Result

    def say(result: Result) -> None:
        if not quiet or result.word not in ("agrees", "subgradient"):
            show([(str(result), COLOUR[result.word] if result.word != "agrees" else "")])

    by_name = any(":" in target for target in targets)
    if not by_name:
        given = {
            "--shapes": shapes,
            "--domain": domains,
            "--constant": constant,
            "--torch": torch,
            "--jax": jax,
        }
        for option, value in given.items():
            if value:
                raise InputError(f"{option} is for MODULE:FORWARD MODULE:VJP; a declaration states its own")
        files = [Path(target) for target in targets]
        results: list[Result] = []
        declared = named.declarations(files)
        try:
            for label, equation in declared:
                result = named.check_declaration(label, equation, seed=seed, examples=examples)
                results.append(result)
                say(result)
                if first_failure and result.refused:
                    break
        except KeyboardInterrupt:
            click.echo(f"gradproof: interrupted after {len(results)} of {len(declared)} declarations", err=True)
            return 130
        return exit_code(results)
    if len(targets) != 2:
        raise InputError(f"{len(targets)} arguments; expected a forward and its vjp: MODULE:FORWARD MODULE:VJP")
    if shapes is None:
        raise InputError('no --shapes; points are drawn from one, such as --shapes "x: n d -> z: n d"')
    result = named.check_functions(
        *targets,
        shapes=shapes,
        domains=domains,
        constant=constant,
        torch=torch,
        jax=jax,
        strict=strict,
        seed=seed,
        examples=examples,
    )
    say(result)
    return exit_code([result])
