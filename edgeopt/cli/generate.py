"""``edgeopt generate PROBLEM``: an instance from a seed, or from a trace where the problem can read one."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from edgeopt.cli.guard import guarded
from edgeopt.cli.options import given, options_of, parameter, summary, with_options

# The options belong to the problem, so what follows the verb is parsed once the problem is known.
COMMAND: dict[str, Any] = {
    "add_help_option": False,
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    "options_metavar": "PROBLEM [--seed N] [-o FILE] [OPTIONS]",
}


def generate(context: typer.Context) -> None:
    """Make an instance of a problem (generate PROBLEM --help lists its options)."""
    _app(context.args)(args=context.args, prog_name="edgeopt generate")


def _app(args: list[str]) -> typer.Typer:
    """A program with a command a problem; only the wanted problem is imported."""
    from edgeopt.instances.base import problem, problem_names

    if args and not args[0].startswith("-"):
        problem(args[0])  # says which problems there are if this is none
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(subcommand_metavar="PROBLEM [--seed N] [-o FILE] [OPTIONS]")
    def _root() -> None:
        """Make an instance of a problem; PROBLEM --help lists its options."""

    traced = any(arg == "--trace" or arg.startswith("--trace=") for arg in args)
    wanted = [name for name in problem_names() if name in args[:1]]
    for name in wanted or problem_names():
        _add(app, name, traced)
    return app


def _add(app: typer.Typer, name: str, traced: bool) -> None:
    from edgeopt.instances.base import problem

    from_trace = _trace_reader(name)
    make = from_trace if traced and from_trace is not None else problem(name).generate
    first = next(iter(inspect.signature(make).parameters)) if make is from_trace else None
    options = options_of(make, skip=[first] if first else [])
    parameters = [
        parameter("output", Path, "--output", "-o", help="File to write (.json, .json.gz or .npz); stdout without."),
        *(single for option in options for single in option.parameters),
    ]
    if from_trace is not None:
        text = "CSV file with real requests to take a window of"
        more = "" if make is from_trace else f"; has options of its own: {name} --trace FILE --help"
        parameters.append(parameter("trace", Path, "--trace", help=text + more))

    def run(output: Path | None, trace: Path | None = None, **values: Any) -> None:
        keywords = given(options, values)
        if trace is not None and from_trace is not None:
            _write(from_trace(trace, **keywords), output)
        else:
            from edgeopt.instances import base

            _write(base.generate(name, **keywords), output)

    run.__doc__ = summary(make)
    app.command(name)(guarded(with_options(run, parameters)))


def _trace_reader(name: str) -> Callable[..., Any] | None:
    """``edgeopt.instances.<problem>.trace.from_trace``, where a problem has one."""
    from importlib import import_module
    from importlib.util import find_spec

    module = f"edgeopt.instances.{name}.trace"
    if find_spec(module) is None:
        return None
    found: Callable[..., Any] = import_module(module).from_trace
    return found


def _write(instance: Any, output: Path | None) -> None:
    from edgeopt.instances.base import problem
    from edgeopt.instances.io import write

    if output is None:
        sys.stdout.buffer.write(problem(instance.problem).encode(instance))
        return
    write(instance, output)
    typer.echo(f"wrote {output}: {instance.name}")
