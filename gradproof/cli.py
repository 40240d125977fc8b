"""The command line: finds the command, and turns whatever happened into an exit code.

    0  everything agrees, or is a valid subgradient       4  nothing wrong, but something undecided
    1  something differs, is missing or raised            5  nothing was selected
    2  usage, a bad file, an absent framework             130  interrupted
    3  our own fault                                      141 the reader left (`| head`) before the end

A command is a module of `gradproof.commands` with a click command named `command`; the folder is walked, so
a new file is a new command. These modules import what is large inside the function, so that `--help`
answers at once.
"""

import difflib
import errno
import importlib
import pkgutil
import traceback
from typing import Any

import click

from gradproof import commands
from gradproof.errors import GradproofError, InputError
from gradproof.interrupt import heard
from gradproof.reporting.screen import nobody_reads

ISSUES = "please report it, with the lines above"
READER_LEFT = 141  # what a shell gives a program that SIGPIPE ends
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Commands(click.Group):
    """The commands of `gradproof.commands`, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(found.name for found in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        found: click.Command = importlib.import_module(f"gradproof.commands.{cmd_name}").command
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0]
        near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
        if near and not name.startswith("-") and name not in self.list_commands(ctx):
            ctx.fail(f"No such command {name!r}, did you mean {near[0]}?")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """As ever; where stdout takes no more, this is said in a line, or the reader has left."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            nobody_reads()
            return READER_LEFT
        except OSError as error:
            if error.errno in NO_ROOM and error.filename is None:
                nobody_reads()  # what is left in the buffer would end the process with a traceback and 120
                said = f"the output cannot be written: {error.strerror}; make room, or send it elsewhere"
                raise InputError(said) from None
            raise


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
        with heard():
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
