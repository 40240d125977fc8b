"""The command line: finds the command, and turns whatever happened into an exit code.

    0  everything agrees, or is a valid subgradient       4  nothing wrong, but something undecided
    1  something differs, is missing or raised            5  nothing was selected
    2  usage, a bad file, an absent framework             130  interrupted
    3  our own fault

A command is a module of `gradproof.commands` with a click command named `command`; the folder is walked, so
a new file is a new command. These modules import what is large inside the function, so that `--help`
answers at once.
"""

import importlib
import pkgutil
import sys
import traceback
from typing import Any

import click

from gradproof import commands
from gradproof.errors import GradproofError

ISSUES = "please report it, with the lines above"


class Commands(click.Group):
    """The commands of `gradproof.commands`, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(found.name for found in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        found: click.Command = importlib.import_module(f"gradproof.commands.{cmd_name}").command
        return found


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version  # 0.02 s that no other command needs

        click.echo(f"gradproof {version('gradproof')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Show the version and exit.",
)
def gradproof() -> None:
    """Tells whether a hand-written derivative is right, how sure that is, and if wrong, where and why."""


def run(arguments: list[str] | None = None) -> int:
    """Run the command line `arguments` (default: the process's own) and return its exit code."""
    try:
        code: Any = gradproof.main(arguments, prog_name="gradproof", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("gradproof: interrupted", err=True)
        return 130
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        click.echo(f"gradproof: {_one_line(error)}", err=True)
        return 2
    except GradproofError as error:
        click.echo(f"gradproof: {error}", err=True)
        return int(getattr(error, "exit_code", 2))
    except KeyboardInterrupt:
        click.echo("gradproof: interrupted", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader has left (`| head`): nothing more to say, and nobody to say it to
        return 0
    except Exception as error:
        traceback.print_exc()
        click.echo(f"gradproof: internal error: {type(error).__name__}: {error}; {ISSUES}", err=True)
        return 3
    return code if isinstance(code, int) else 0


def _one_line(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "gradproof"
    message = " ".join(error.format_message().split())
    return f"{message} See '{path} --help'."


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
