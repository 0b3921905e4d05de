"""Resolve `--model` to a folder, a hub id with a revision, or a RUN folder, and compute the model's identity.

No torch here: arguments and paths are checked before anything heavy is loaded. A RUN folder is itself the saved model,
or the saved adapter; then its `run.json` names the base under "base".
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from blindpo.errors import ModelError

HUB_ID: Final = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{7,40}")
"""A hub id with a commit hash or its beginning: a branch or tag could move without a trace in results and caches."""
IDENTITY_SUFFIXES: Final = (".safetensors", ".json", ".jinja", ".model", ".txt")
NOT_IDENTITY: Final = frozenset(
    {"run.json", "manifest.json", "timings.json", "trainer_state.json", "all_results.json", "train_results.json"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A model that was found but not loaded."""

    given: str
    """The argument as given on the command line."""
    path: Path | None = None
    """The model's folder, or None for a hub id."""
    hub_id: str | None = None
    revision: str | None = None
    base: "ModelSource | None" = None
    """The model under the adapter, if `path` holds only an adapter."""

    @property
    def adapter(self) -> Path | None:
        """The adapter's folder, or None for a whole model."""
        return self.path if self.base is not None else None


def resolve_model(text: str | Path) -> ModelSource:
    """Return the model that `text` names. Raises ModelError if there is none.

    "runs/demo/seed_0/base" is a folder; "llava-hf/llava-1.5-7b-hf@a1b2c3" is a hub id with its
    revision, which is a commit.
    """
    given = str(text)
    path = Path(given)
    if path.is_dir():
        return _from_folder(given, path)
    if path.exists():
        raise ModelError(f"--model {given} is a file; give the folder that holds config.json")
    if HUB_ID.fullmatch(given):
        hub_id, _, revision = given.partition("@")
        return ModelSource(given=given, hub_id=hub_id, revision=revision)
    hint = ""
    if "/" in given:
        hint = " (a hub id needs its revision, ID@REVISION: the hash of a commit, 7 to 40 hex digits; a branch moves)"
    raise ModelError(f"--model {given} is not a folder{hint}; give a model folder, ID@REVISION or a RUN folder")


def _from_folder(given: str, path: Path) -> ModelSource:
    if (path / "adapter_config.json").is_file():
        return ModelSource(given=given, path=path, base=_base(path))
    if not (path / "config.json").is_file():
        raise ModelError(f"--model {given} holds no config.json; give a model folder, or a finished RUN folder")
    if not any(path.glob("*.safetensors")):
        raise ModelError(f"--model {given} holds no *.safetensors; other weight formats are not supported: convert it")
    return ModelSource(given=given, path=path)


def _base(path: Path) -> ModelSource:
    record = path / "run.json"
    try:
        run = json.loads(record.read_text(encoding="utf-8"))
        named = run["base"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"--model {path} is an adapter, but {record} does not name its base; give a RUN folder"
        ) from error
    beside = path / named
    # a RUN that was moved together with its base: what lies beside it is meant, not a folder of that name elsewhere
    return resolve_model(str(beside) if not HUB_ID.fullmatch(named) and beside.is_dir() else named)


def fingerprint(source: ModelSource) -> str:
    """Return the SHA-256 of the model's contents, in hex; for a hub model, that of its id and revision instead."""
    digest = sha256()
    if source.path is None:
        digest.update(f"{source.hub_id}@{source.revision}".encode())
        return digest.hexdigest()
    for file in _identity_files(source.path):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as opened:
            while block := opened.read(1 << 20):
                digest.update(block)
    if source.base is not None:
        digest.update(fingerprint(source.base).encode())
    return digest.hexdigest()


def _identity_files(path: Path) -> Iterator[Path]:
    for file in sorted(path.iterdir()):
        if file.is_file() and file.suffix in IDENTITY_SUFFIXES and file.name not in NOT_IDENTITY:
            yield file
