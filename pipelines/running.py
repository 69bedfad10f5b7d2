"""Runs a command: users' mistakes become one sentence on stderr, and exit codes mean something.

Exit codes: 0 done, 1 a defect (with its stack trace), 2 a mistake of the user, 130 interrupted.
"""

import sys
from typing import NoReturn

import click

from tfrec.errors import UserError
from tfrec.files import is_disk_full

USER_MISTAKE = 2
INTERRUPTED = 130


def run(command: click.Command, prog_name: str | None = None) -> NoReturn:
    """Runs `command` on ``sys.argv`` and exits the process.

    Args:
        command: the click command or group to run.
        prog_name: the name that usage messages show; by default the one it was started with.
    """
    try:
        result = command.main(prog_name=prog_name, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(USER_MISTAKE)
    except click.UsageError as error:
        _exit_with(_usage_sentence(error))
    except click.ClickException as error:
        _exit_with(error.format_message())
    except UserError as error:
        _exit_with(str(error))
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except UnicodeEncodeError as error:
        argument = _undecodable_argument()
        if argument is None:
            raise
        _exit_with(
            f"the argument {argument!a} is not UTF-8 text ({error.reason}); give it in UTF-8"
        )
    except Exception as error:
        if not is_disk_full(error):
            raise
        filename = getattr(error, "filename", None)
        where = f" while writing {filename}" if filename else ""
        _exit_with(f"no space left on the disk{where}; free some space and run the command again")
    sys.exit(result if isinstance(result, int) else 0)


def _usage_sentence(error: click.UsageError) -> str:
    sentence = error.format_message().strip().rstrip(".")
    sentence = sentence[:1].lower() + sentence[1:]
    if error.ctx is None:
        return sentence
    return f"{sentence}; see `{error.ctx.command_path} --help`"


def _undecodable_argument() -> str | None:
    """Returns the first argument with bytes that Python could only keep as lone surrogates."""
    for argument in sys.argv[1:]:
        try:
            argument.encode()
        except UnicodeEncodeError:
            return argument
    return None


def _exit_with(message: str) -> NoReturn:
    # One line whatever the message held, so that it stays one sentence in a log, too.
    click.echo("error: " + " ".join(message.split()), err=True)
    sys.stderr.flush()
    sys.exit(USER_MISTAKE)
