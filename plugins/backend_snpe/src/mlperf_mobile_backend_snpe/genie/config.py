"""A model's configuration for Genie: its files, and what is changed in it so that answers follow the contract."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_snpe.genie.documents import MOST_ITEMS, Document, noted

FORMAT = "genie_config.json"
"""The format of these models, and the usual name of the main file."""

FOLDER = "{{MODEL_DIR}}/"
"""What stands for the model's folder in configurations of mobile_app_open v6.0."""

ENGINES: Mapping[str, str] = {"QnnHtp": "htp", "QnnGpu": "gpu", "QnnGenAiTransformer": "cpu"}
"""The accelerator of each ``backend.type``."""

GREEDY: Mapping[str, Any] = {"version": 1, "seed": 0, "temp": 1.0, "top-k": 1, "top-p": 1.0, "greedy": True}
"""The sampler that always takes the most likely token, by the entries of mobile_app_open v6.0; it replaces the model's,
with its penalties and callbacks."""

NO_ID = -1
"""No token: as ``bos-token``, nothing is put before a prompt; as ``eos-token``, no token is an end. Genie would end an
answer without giving the id of the token that ended it, so the session ends answers, at the ids of the task."""

MOST_CONTEXT, MOST_VOCABULARY = 1 << 20, 1 << 24

_DIALOG = ("version", "type", "context", "sampler", "tokenizer", "engine", "stop-sequence", "max-num-tokens")
_ENGINE = ("version", "n-threads", "backend", "model")
_BACKEND = ("version", "type", "extensions", *ENGINES)
_MODEL = ("version", "type", "binary", "library", "positional-encoding")
_FILES = {"binary": ("version", "ctx-bins"), "library": ("version", "model-bin")}
"""The entries with the model's weights, by ``model.type``."""


@dataclass(frozen=True, slots=True)
class GenieConfig:
    """What a configuration says, and the text for Genie."""

    text: str
    """JSON with the paths of the model's files, greedy, and without ends of its own."""
    context: int
    """Tokens that prompt and answer may have together, ``context.size``."""
    vocabulary: int
    """Ids are below it, ``context.n-vocab``."""
    engine: str
    """``backend.type``, one of :data:`ENGINES`."""
    facts: Mapping[str, Any]
    """What is worth knowing about it, as plain JSON data."""


def read(model: Path, files: Mapping[str, Path]) -> GenieConfig:
    """Read and change a model's configuration.

    Args:
        model: The configuration.
        files: All files of the model by their names in it, the configuration among them.

    Raises:
        ModelError: ``model-missing``; ``genie-config``: the configuration is damaged, or has something unsupported;
            ``genie-files``: it names something that is no file of the model.
    """
    document = Document(model)
    content = copy.deepcopy(document.content)
    place = _Place(model.name, PurePosixPath(_name_of(model, files)).parent, files)
    document.mapping(content, "the configuration", ("dialog",))
    dialog = document.part(content, "dialog", "the configuration", _DIALOG)
    if dialog.get("type") != "basic":
        document.refuse("dialog.type", f"is {str(dialog.get('type'))[:60]!r}, and only 'basic' is supported")
    facts: dict[str, Any] = {}
    context, vocabulary = _ends(document, dialog, facts)
    tokenizer = document.part(dialog, "tokenizer", "dialog", ("version", "path"))
    tokenizer["path"] = place.find(document.text(tokenizer.get("path"), "dialog.tokenizer.path"), "the tokenizer")
    engine = _engine(document, dialog, place, facts)
    for part in ("version", "context", "tokenizer.version", "engine.version", "engine.n-threads"):
        value: Any = dialog
        for key in part.split("."):
            value = value.get(key)
        document.without_paths(value, f"dialog.{part}")
    return GenieConfig(json.dumps(content), context, vocabulary, engine, facts)


def _ends(document: Document, dialog: dict[str, Any], facts: dict[str, Any]) -> tuple[int, int]:
    """Context and vocabulary; what chooses tokens, ends answers or is put before prompts is replaced, and noted."""
    context = document.part(dialog, "context", "dialog")
    size = document.integer(context, "size", "dialog.context", 2, MOST_CONTEXT)
    vocabulary = document.integer(context, "n-vocab", "dialog.context", 1, MOST_VOCABULARY)
    padding = _padding(document, context, vocabulary)
    replaced = {key: context.get(key) for key in ("bos-token", "eos-token") if context.get(key) != NO_ID}
    context.update({"bos-token": NO_ID, "eos-token": NO_ID, "pad-token": padding})
    replaced |= {"eot-token": context.pop("eot-token")} if "eot-token" in context else {}
    replaced |= {key: dialog.pop(key) for key in ("stop-sequence", "max-num-tokens") if key in dialog}
    replaced["sampler"] = dialog.get("sampler")
    dialog["sampler"] = dict(GREEDY)
    facts["replaced"] = {key: noted(value) for key, value in replaced.items()}
    facts.update(context=size, vocabulary=vocabulary, sampler="greedy")
    return size, vocabulary


def _padding(document: Document, context: dict[str, Any], vocabulary: int) -> int:
    """The token that fills up the last part of a prompt: the model's own.

    Where a configuration names none, Genie takes an end token (context.cpp): the first of a list, or ``eot-token``, or
    ``eos-token``. It must stay when the ends are taken away.
    """
    ends, turn = context.get("eos-token"), context.get("eot-token")
    default = turn if isinstance(turn, int) and turn >= 0 else ends
    if isinstance(ends, list) and ends:
        default = ends[0]
    key = "pad-token" if "pad-token" in context else "eos-token"
    return document.integer({key: context.get("pad-token", default)}, key, "dialog.context", 0, vocabulary - 1)


def _engine(document: Document, dialog: dict[str, Any], place: _Place, facts: dict[str, Any]) -> str:
    """The engine, with the paths of its files put in."""
    where = "dialog.engine"
    engine = document.part(dialog, "engine", "dialog", _ENGINE)
    backend = document.part(engine, "backend", where, _BACKEND)
    kind = document.text(backend.get("type"), f"{where}.backend.type")
    if kind not in ENGINES:
        document.refuse(f"{where}.backend.type", f"is {kind[:60]!r}, not one of {', '.join(ENGINES)}")
    extensions = backend.pop("extensions", None)
    document.without_paths(backend, f"{where}.backend")
    if extensions is not None:
        backend["extensions"] = place.find(document.text(extensions, f"{where}.backend.extensions"), "the extensions")
        further = Document(Path(backend["extensions"]))
        further.without_paths(further.content, "the configuration")
        facts["perf_profile"] = further.texts("perf_profile")[:MOST_ITEMS]
    model = document.part(engine, "model", where, _MODEL)
    form = document.text(model.get("type"), f"{where}.model.type")
    if form not in _FILES:
        document.refuse(f"{where}.model.type", f"is {form[:60]!r}, not one of {', '.join(_FILES)}")
    weights = document.part(model, form, f"{where}.model", _FILES[form])
    document.without_paths({key: value for key, value in model.items() if key != form}, f"{where}.model")
    entry = f"{where}.model.{form}.{_FILES[form][1]}"
    if form == "library":
        weights["model-bin"] = place.find(document.text(weights.get("model-bin"), entry), "the model")
    else:
        names = weights.get("ctx-bins")
        if not isinstance(names, list) or not 1 <= len(names) <= MOST_ITEMS:
            document.refuse(entry, f"is no list of 1 to {MOST_ITEMS} files")
        weights["ctx-bins"] = [place.find(document.text(name, entry), "a context binary") for name in names]
    document.without_paths(weights.get("version"), f"{where}.model.{form}.version")
    facts["engine"] = kind
    return kind


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the files of a model are.

    Args:
        config: The configuration's name, for messages.
        folder: Its folder in the model, from which the names in it start.
        files: All files by their names in the model.
    """

    config: str
    folder: PurePosixPath
    files: Mapping[str, Path]

    def find(self, text: str, what: str) -> str:
        """The absolute path of a file that the configuration names."""
        path = PurePosixPath(text.removeprefix(FOLDER))
        if path.is_absolute() or ".." in path.parts or "\\" in text:
            self._refuse(f"{what} is {text[:200]!r}, which is not a path within the model")
        found = self.files.get((self.folder / path).as_posix())
        if found is None:
            self._refuse(f"{what} {text[:200]!r} is no file of the model")
        try:
            return found.absolute().as_posix().encode().decode()
        except UnicodeEncodeError:
            self._refuse(f"the path of {what} {text[:200]!r} is not UTF-8")

    def _refuse(self, what: str) -> NoReturn:
        names = ", ".join(sorted(self.files)[:8])
        raise ModelError("genie-files", f"{self.config}: {what}", f"write a name relative to it; the model has {names}")


def _name_of(model: Path, files: Mapping[str, Path]) -> str:
    for name, path in files.items():
        if path == model:
            return name
    summary = f"{model.name} was given alone, without the files that it names"
    raise ModelError("genie-files", summary, "give the model's folder: --model FOLDER")
