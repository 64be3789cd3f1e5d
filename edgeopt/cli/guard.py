"""What a verb ends with: one clear line for an error, and the exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from edgeopt.errors import EdgeoptError

VIOLATED, BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141

P = ParamSpec("P")


def complain(error: object) -> None:
    """Say on stderr what is wrong."""
    typer.echo(f"error: {error}", err=True)


class Outcome:
    """The exit code of a run over several inputs, in which one bad input does not stop the others."""

    def __init__(self) -> None:
        self.bad_input = False
        self.violated = False
        self.interrupted = False

    def refuse(self, error: object) -> None:
        """Report a bad input and go on."""
        complain(error)
        self.bad_input = True

    def exit(self) -> None:
        """End the program; a violated claim counts more than a bad file beside it."""
        for met, code in (
            (self.violated, VIOLATED), (self.bad_input, BAD_INPUT), (self.interrupted, INTERRUPTED)
        ):  # fmt: skip
            if met:
                raise typer.Exit(code)


def _discard_output() -> None:
    """Python flushes stdout once more at its end; let that go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def guarded(verb: Callable[P, None]) -> Callable[P, None]:
    """The verb with errors, a full disk too, as one line and exit code 2, and a closed pipe or Ctrl-C as quiet ends."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            verb(*args, **kwargs)
            sys.stdout.flush()
        except EdgeoptError as error:
            complain(error)
            raise typer.Exit(BAD_INPUT) from None
        except BrokenPipeError:
            _discard_output()
            raise typer.Exit(BROKEN_PIPE) from None
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            complain(f"cannot write: {error.strerror}")
            _discard_output()
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            complain("interrupted")
            raise typer.Exit(INTERRUPTED) from None

    return run
