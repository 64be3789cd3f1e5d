"""Command-line options of a function from its signature and numpydoc, so that no verb repeats them."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

from edgeopt.errors import InstanceError

UNIT_ENDINGS = ("_s", "_name")
"""Endings that an option may go without: ``window_s`` is ``--window``, ``quantization_name`` ``--quantization``."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the command line and how it becomes a keyword of the function.

    Attributes
    ----------
    keyword : str
        Keyword of the function.
    parameters : tuple of inspect.Parameter
        What typer asks for: one, or two for a pair of numbers.
    collect : callable
        Values of these parameters to the keyword's value.
    """

    keyword: str
    parameters: tuple[inspect.Parameter, ...]
    collect: Callable[[Sequence[Any]], Any]


def options_of(function: Callable[..., Any], *, skip: Sequence[str] = ()) -> list[Option]:
    """Options for the keyword parameters of a function, by their annotations.

    Integers, floats, strings, flags and literals become plain options; a pair of numbers ``deadline`` becomes
    ``--deadline-min`` and ``--deadline-max``; a sequence may be repeated or separated by commas. All are
    optional and left to the function's default when not given.
    """
    hints = get_type_hints(function)
    described = descriptions(function)
    names = inspect.signature(function).parameters
    return [
        _option(name, hints[name], parameter.default, described.get(name, ""), names)
        for name, parameter in names.items()
        if name not in skip
    ]


def given(options: Sequence[Option], values: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of the function from what the user gave; the rest is left out."""
    keywords = {}
    for option in options:
        found = [values[parameter.name] for parameter in option.parameters]
        if any(value is not None and value != [] for value in found):
            keywords[option.keyword] = option.collect(found)
    return keywords


def with_options(function: Callable[..., None], parameters: Sequence[inspect.Parameter]) -> Callable[..., None]:
    """Give a function that takes ``**values`` the signature that typer reads options from."""

    def command(**values: Any) -> None:
        function(**values)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command


def parameter(name: str, kind: Any, *declarations: str, help: str = "", **settings: Any) -> inspect.Parameter:
    """A parameter that typer turns into an option, None when not given."""
    info = typer.Option(*declarations, help=help, show_default=False, **settings)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, info]
    )


def _option(name: str, hint: Any, default: Any, text: str, taken: Mapping[str, Any]) -> Option:
    kind = _without_none(hint)
    flags = _flags(name, taken)
    help = _with_default(text, default)
    if get_origin(kind) is tuple and len(get_args(kind)) == 2:
        ends = default if isinstance(default, tuple) else (None, None)
        low, high = (
            parameter(f"{name}_{end}", get_args(kind)[0], f"{flags[0]}-{end}", help=_with_default(text, least_or_most))
            for end, least_or_most in zip(("min", "max"), ends, strict=True)
        )

        def pair(values: Sequence[Any]) -> tuple[Any, ...]:
            filled = tuple(other if value is None else value for value, other in zip(values, ends, strict=True))
            if None in filled:
                raise InstanceError(f"{flags[0]}-min and {flags[0]}-max must be given together")
            return filled

        return Option(name, (low, high), pair)
    item = _item(kind)
    if item is not None:
        repeated = parameter(name, list[str], *flags, help=help, metavar=f"{item.__name__.upper()},...")
        return Option(name, (repeated,), lambda values: _split(flags[0], values[0], item))
    if get_origin(kind) is Literal:
        words = [str(word) for word in get_args(kind)]

        def choose(word: str) -> str:
            if word not in words:
                raise typer.BadParameter(f"{word!r} is not one of {', '.join(words)}")
            return word

        single = parameter(name, str, *flags, help=help, parser=choose, metavar=f"[{'|'.join(words)}]")
    elif kind is bool:
        single = parameter(name, bool, f"{flags[0]}/--no-{flags[0][2:]}", help=help)
    else:
        single = parameter(name, kind, *flags, help=help)
    return Option(name, (single,), lambda values: values[0])


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        kinds = tuple(kind for kind in get_args(hint) if kind is not type(None))
        return kinds[0] if len(kinds) == 1 else Union[kinds]  # noqa: UP007 - made at run time
    return hint


def _item(kind: Any) -> type | None:
    """Type of the items of a sequence (or of a single item or a sequence); None for other kinds."""
    if get_origin(kind) in (Union, types.UnionType):
        return next((item for inner in get_args(kind) if (item := _item(inner)) is not None), None)
    origin = get_origin(kind)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        first: type = get_args(kind)[0]
        return first
    return None


def _split(flag: str, texts: Sequence[str], item: type) -> tuple[Any, ...]:
    words = [word.strip() for text in texts for word in text.split(",") if word.strip()]
    try:
        return tuple(item(word) for word in words)
    except ValueError:
        raise InstanceError(f"{flag} {','.join(words)}: must be a list of {item.__name__}") from None


def _flags(name: str, taken: Mapping[str, Any]) -> list[str]:
    """The option's names: without its unit first, if nothing else is called that."""
    short = next((name.removesuffix(end) for end in UNIT_ENDINGS if name.endswith(end)), name)
    names = [name] if short in taken else [short, name]
    return list(dict.fromkeys("--" + word.replace("_", "-") for word in names))


def _with_default(text: str, default: Any) -> str:
    if default is None:
        return text
    shown = ",".join(map(str, default)) if isinstance(default, tuple | list) else str(default)
    return f"{text} [default: {shown}]".strip()


def summary(function: Callable[..., Any]) -> str:
    """First line of a docstring."""
    return (inspect.getdoc(function) or "").partition("\n")[0]


def descriptions(function: Callable[..., Any]) -> dict[str, str]:
    """Description of each parameter in a numpydoc docstring, on one line."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", inspect.getdoc(function) or "", re.M | re.S)
    found: dict[str, str] = {}
    names: list[str] = []
    for text in section.group(1).splitlines() if section else []:
        if text and not text.startswith(" "):
            names = [name.strip() for name in text.partition(":")[0].split(",")]
        else:
            for name in names:
                found[name] = f"{found.get(name, '')} {text.strip()}".strip().replace("`", "")
    return found
