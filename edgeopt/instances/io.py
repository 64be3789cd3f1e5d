"""Read and write: files in, validated instances out; a killed write leaves the old file whole."""

from __future__ import annotations

import codecs
import gzip
import inspect
import io
import json
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as types

from edgeopt.errors import InstanceError, UnknownNameError
from edgeopt.instances.base import Instance, TextFormat, problem, problem_names
from edgeopt.result import Result

T = TypeVar("T")
ZIP = b"PK\x03\x04"
"""What the array form begins with."""

UNITS = {
    "_s": "s",
    "_hz": "Hz",
    "_bytes": "B",
    "_flops": "FLOP/s",
    "_w": "W",
    "_w_per_hz": "W/Hz",
    "_tokens": "tokens",
    "_gain": "power gain",
    "_bit": "bit",
    "_j": "J",
    "_m": "m",
}
"""Unit by the ending of a field's name."""
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, text that is not UTF-8, and endless nesting."""
NO_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|NaN|-?Infinity')
"""What Python writes as numbers and JSON has not; texts are matched to be passed over."""
STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
"""A step of a path: a key or an index."""


def read(path: str | os.PathLike[str], *, format: str | None = None, **options: Any) -> Any:
    """Read an instance file: JSON (``.json``, ``.json.gz``), the array form (``.npz``), or a format of others.

    Parameters
    ----------
    path : str or path
    format : str, optional
        A published format, such as ``orlib-gap``; guessed from the content of the file when not given.
    **options
        Options of that format, such as ``sense`` or ``problem`` (which one, in a file that holds several).

    Returns
    -------
    Instance
        Of the problem that the file names in its field ``edgeopt``, or that the format belongs to.

    Raises
    ------
    InstanceError
        If the file cannot be read or is not a valid instance; names file, field, value and unit.
    UnknownNameError
        If there is no such format.
    """
    data, where = read_bytes(path), os.fspath(path)
    name = format or _guess(data, where)
    if name is None:
        if options:
            raise InstanceError(f"{where}: {next(iter(options))}: edgeopt's own files take no options of a format")
        return problem(_problem_of(data, where)).decode(data, where)
    known = text_formats()
    if name not in known:
        raise UnknownNameError(f"no format {name!r}; there are: {', '.join(known)}")
    takes = list(inspect.signature(known[name].decode).parameters)[2:]
    for option in options:
        if option not in takes:
            raise InstanceError(f"{where}: the format {name} has no option {option!r}; it has: {', '.join(takes)}")
    return known[name].decode(data, where, **options)


def text_formats() -> dict[str, TextFormat]:
    """Every published format of others that some problem reads, by name."""
    return {name: form for family in problem_names() for name, form in problem(family).formats.items()}


def _guess(data: bytes, where: str) -> str | None:
    """The format of others that the content looks like; None for our own, and where nothing fits."""
    if not data.strip() or data.lstrip()[:1] in b"{[" or data.startswith(ZIP):
        return None
    fitting = [name for name, form in text_formats().items() if form.fits(data)]
    if len(fitting) > 1:
        raise InstanceError(f"{where}: may be {' or '.join(fitting)}; say which with the format")
    if not fitting and re.match(rb"\s*(\d|#|//)", data):
        formats = ", ".join(text_formats())
        raise InstanceError(f"{where}: numbers in none of the formats {formats}; name the format to hear what is wrong")
    return fitting[0] if fitting else None


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Content of a file, unpacked when it is gzip, without the mark that some programs put before UTF-8.

    Raises
    ------
    InstanceError
        If it cannot be read.
    """
    try:
        data = Path(path).read_bytes()
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise InstanceError(f"{os.fspath(path)}: {error.strerror or error}") from error
    except EOFError as error:
        raise InstanceError(f"{os.fspath(path)}: the gzip file is cut short; write it again") from error
    except zlib.error as error:
        raise InstanceError(f"{os.fspath(path)}: the gzip file is damaged ({error}); write it again") from error


def _problem_of(data: bytes, where: str) -> str:
    if not data.strip():
        raise InstanceError(f"{where}: the file is empty")
    head = _array_header(data, where) if data.startswith(ZIP) else data
    known = f"an instance names its problem there: {', '.join(problem_names())}"

    class Kind(msgspec.Struct):
        edgeopt: Any = None

    try:
        kind = msgspec.json.decode(head, type=Kind).edgeopt
    except msgspec.ValidationError:
        raise InstanceError(f"{where}: must hold one JSON object with a field 'edgeopt'; {known}") from None
    except NOT_JSON as error:
        raise InstanceError(f"{where}: not valid JSON: {_json_place(head, error)}") from error
    if kind not in problem_names():
        raise InstanceError(f"{where}: edgeopt = {kind!r}: {known}")
    return str(kind)


def _array_header(data: bytes, where: str) -> bytes:
    arrays = read_arrays(data, where, ["header"])
    if not arrays:
        raise InstanceError(f"{where}: not the array form of an instance: the array 'header' is missing")
    head: bytes = arrays["header"].tobytes()
    return head


def read_arrays(data: bytes, where: str, names: Sequence[str] = ()) -> dict[str, Any]:
    """The arrays in the array form (numpy's ``.npz``), or those of these names that it has.

    Raises
    ------
    InstanceError
        If it cannot be read.
    """
    import numpy as np

    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files if name in (names or archive.files)}
    except (ValueError, EOFError, OSError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InstanceError(f"{where}: not a readable array form: {error}") from error
    for name, array in found.items():
        if not isinstance(array, np.ndarray):
            raise InstanceError(f"{where}: not a readable array form: {name!r} in it is no array of numpy")
    return found


def decode_json(data: bytes, kind: type[T], where: str) -> T:
    """JSON bytes as a msgspec struct, with errors that name file, field, value and unit.

    Raises
    ------
    InstanceError
        If the bytes are not JSON, or do not fit the type.
    """
    try:
        content = msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise InstanceError(f"{where}: {_explain(str(error), data, kind)}") from error
    except NOT_JSON as error:
        raise InstanceError(f"{where}: not valid JSON: {_json_place(data, error)}") from error
    version, newest = getattr(content, "version", 1), 1
    if version != newest:
        raise InstanceError(f"{where}: version = {version}: this edgeopt reads version {newest}; update edgeopt")
    return content


def decode_either(
    data: bytes, where: str, as_json: Callable[[bytes, str], T], as_arrays: Callable[[bytes, str], T]
) -> T:
    """A file's content by the reader of its form, JSON or arrays; every error names the file.

    Raises
    ------
    InstanceError
        Naming file, field, index, value and unit.
    """
    try:
        return as_arrays(data, where) if data.startswith(ZIP) else as_json(data, where)
    except InstanceError as error:
        text = str(error)
        raise InstanceError(text if text.startswith(where) else f"{where}: {text}") from error


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """JSON Schema of a file's type."""
    found: dict[str, Any] = msgspec.json.schema(kind)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def _json_place(data: bytes, error: Exception) -> str:
    """Line and column where JSON breaks, from the standard library's parser, which knows."""
    try:
        json.loads(data)
        text = data.decode()
        for word in NO_NUMBER.finditer(text):
            if not word[0].startswith('"'):
                line, column = text.count("\n", 0, word.start()) + 1, word.start() - text.rfind("\n", 0, word.start())
                return f"{word[0]} at line {line}, column {column}; give a finite number or leave the field out"
    except json.JSONDecodeError as place:
        return f"{place.msg} at line {place.lineno}, column {place.colno}"
    except UnicodeDecodeError as place:
        return f"not UTF-8 at byte {place.start}"
    except RecursionError:
        return "nested too deeply"
    except ValueError as large:  # a number of more digits than Python reads
        return str(large)
    return str(error)


def _explain(text: str, data: bytes, kind: type[Any]) -> str:
    """A msgspec message ``... - at `$.nodes[0].x``` as ``nodes[0].x = value (unit): ...``."""
    message, _, path = text.partition(" - at `$")
    path = path.rstrip("`").lstrip(".")
    message += _allowed(message, kind, path)
    if not path:
        return message
    try:
        value: Any = json.loads(data)
        for key, index in STEP.findall(path):
            value = value[key] if key else value[int(index)]
    except (KeyError, IndexError, TypeError, ValueError, RecursionError):  # the last two: more than Python reads
        return f"{path}: {message}"
    shown = json.dumps(value)
    if isinstance(value, dict):
        return f"{path}: {message}"
    return f"{path} = {shown if len(shown) <= 60 else shown[:57] + '...'}{_unit(path)}: {message}"


def _allowed(message: str, kind: type[Any], path: str) -> str:
    """What msgspec leaves out: the fields of an object with an unknown one, and the values of a choice."""
    known = _flat([types.type_info(kind)])
    for key, index in STEP.findall(path):
        if index:
            known = _flat([item.item_type for item in known if isinstance(item, types.CollectionType)])
        else:
            structs = [item for item in known if isinstance(item, types.StructType)]
            known = _flat([field.type for item in structs for field in item.fields if field.encode_name == key])
    for item in known:
        if isinstance(item, types.StructType) and "unknown field" in message:
            return f"; its fields are {', '.join(field.encode_name for field in item.fields)}"
        if isinstance(item, types.LiteralType) and "enum" in message:
            return f"; must be one of {', '.join(map(str, item.values))}"
    return ""


def _flat(kinds: Sequence[types.Type]) -> list[types.Type]:
    """The kinds without descriptions, each of several in its own place."""
    found: list[types.Type] = []
    for kind in kinds:
        inner = kind.type if isinstance(kind, types.Metadata) else kind
        found += _flat(inner.types) if isinstance(inner, types.UnionType) else [inner]
    return found


def _unit(path: str) -> str:
    field = re.sub(r"\[\d+\]$", "", path.rpartition(".")[2])
    ending = max((end for end in UNITS if field.endswith(end)), key=len, default=None)
    return f" ({UNITS[ending]})" if ending else ""


def write(content: Any, path: str | os.PathLike[str], *, instance: Instance | None = None) -> None:
    """Write an instance, with `instance` given a result of it, or what can write itself, such as a comparison.

    The ending chooses ``.json``, ``.json.gz`` or, for instances, the array form ``.npz``. The file appears
    whole or not at all: a killed write leaves the old one as it was.

    Raises
    ------
    InstanceError
        If the ending is unknown, the file cannot be written, or a result comes without its instance.
    """
    name = os.fspath(path)
    if isinstance(content, Result):
        from edgeopt.instances.result_file import write_result

        if instance is None:
            raise InstanceError(f"{name}: a result is written with its instance: write(result, path, instance=...)")
        write_result(instance, content, path)
        return
    if hasattr(content, "write"):
        content.write(path)
        return
    if name.endswith(".npz"):
        data = problem(content.problem).encode_arrays(content)
    elif name.endswith((".json", ".json.gz")):
        data = problem(content.problem).encode(content)
    else:
        raise InstanceError(f"{name}: the ending must be .json, .json.gz or .npz")
    write_bytes(data, path)


def write_bytes(data: bytes, path: str | os.PathLike[str]) -> None:
    """Replace a file's content in one step; gzip when the name ends in ``.gz``. Pipes and devices are written to.

    Raises
    ------
    InstanceError
        If the file cannot be written.
    """
    target = Path(path)
    if target.name.endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    try:
        if target.exists() and not target.is_file():  # a pipe or device, /dev/null above all, is not replaced
            target.write_bytes(data)
            return
        target = target.resolve()  # a link stays one
        handle, temporary = tempfile.mkstemp(dir=target.parent or ".", prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InstanceError(f"{os.fspath(path)}: cannot write: {error.strerror or error}") from error
