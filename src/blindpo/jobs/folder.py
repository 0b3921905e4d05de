"""The output folder of one run: which run it belongs to, and whether it is new, unfinished or finished.

A folder is finished when its `manifest.json` exists: that file is written last. Until then `.work/run.json` says which
command it belongs to, so that the same command continues and another one is refused. Only `timings.json` holds clock
times: every other file has the same bytes when the same command runs again.
"""

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from blindpo.errors import OutputError, SourceError
from blindpo.jobs.manifest import read_json, versions, write_json
from blindpo.rows.schema import SCHEMA_VERSION
from blindpo.rows.shards import WORK

State = Literal["new", "resume", "done"]
MOST_SHOWN: Final = 8
"""The most differences that a refusal names."""
MOST_CHARACTERS: Final = 40
"""The longest value shown in such a difference; longer ones are shortened."""


class OutFolder:
    """The `--out` of one run. `identity` is JSON that identifies it: command, options and hashes of the inputs."""

    def __init__(self, path: Path, identity: Mapping[str, object]) -> None:
        self.path = path
        self.identity = json.loads(json.dumps(identity))
        self.work = path / WORK
        self._started = time.time()

    def begin(self) -> State:
        """Claim the folder. Raises OutputError if it holds another run, or files that no run wrote."""
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"--out {self.path} is a file; give a folder that is new or empty")
        for record, state in ((self.path / "manifest.json", "done"), (self.work / "run.json", "resume")):
            if record.is_file():
                self._require_same(record, state)
                if state == "done":
                    # a kill between the manifest and the clean-up leaves the work state behind
                    shutil.rmtree(self.work, ignore_errors=True)
                    return "done"
                return "resume"
        if self.path.is_dir() and any(child.name != WORK for child in self.path.iterdir()):
            raise OutputError(f"--out {self.path} holds files that no run of blindpo wrote; give a new or empty folder")
        self._make_work()
        write_json(self.work / "run.json", {"identity": self.identity, "schema_version": SCHEMA_VERSION})
        return "new"

    def _make_work(self) -> None:
        try:
            self.work.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"--out {self.path} cannot be made ({error.strerror}); give a folder that can be written"
            ) from error

    def _require_same(self, record: Path, state: str) -> None:
        """Raise OutputError for another run. A finished run may be of an older version; an unfinished one may not."""
        try:
            content = read_json(record)
        except SourceError as error:
            raise OutputError(
                f"{record} is not a record of a run of blindpo, so the owner of {self.path} is unknown; "
                "delete that folder and run the command again"
            ) from error
        identity = content.get("identity") if isinstance(content, dict) else None
        version = content.get("schema_version", 1) if isinstance(content, dict) else None
        if identity == self.identity and (state == "done" or version == SCHEMA_VERSION):
            return
        old, new = {"schema_version": version}, {"schema_version": SCHEMA_VERSION}
        changed = identity_changes({**old, **identity}, {**new, **self.identity}) if isinstance(identity, dict) else []
        more = f", and {len(changed) - MOST_SHOWN} more" if len(changed) > MOST_SHOWN else ""
        raise OutputError(
            f"--out {self.path} holds another run (it differs in: {', '.join(changed[:MOST_SHOWN]) or 'everything'}"
            f"{more}); give another folder, or delete that one"
        )

    def finish(self, manifest: Mapping[str, object], timings: Mapping[str, object] | None = None) -> None:
        """Write `timings.json`, then `manifest.json` last, and remove the work state."""
        clock = {"started": self._started, "finished": time.time(), **(timings or {})}
        write_json(self.path / "timings.json", clock)
        of_run = {"identity": self.identity, "schema_version": SCHEMA_VERSION, "versions": versions()}
        write_json(self.path / "manifest.json", {**of_run, **manifest})
        shutil.rmtree(self.work, ignore_errors=True)

    def manifest(self) -> dict[str, object]:
        """Return the manifest of a finished run."""
        content: dict[str, object] = read_json(self.path / "manifest.json")
        return content


def identity_changes(old: Mapping[str, Any], new: Mapping[str, Any], above: str = "") -> list[str]:
    """List the differences of two identities as `key.inner: old -> new`, keys in order.

    >>> identity_changes({"seed": 1, "config": {"top_k": 5}}, {"seed": 1, "config": {"top_k": 6}})
    ['config.top_k: 5 -> 6']
    """
    changes = []
    for key in sorted({*old, *new}):
        ours, theirs = new.get(key), old.get(key)
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            changes += identity_changes(theirs, ours, f"{above}{key}.")
        elif ours != theirs or (key in old) != (key in new):
            changes.append(f"{above}{key}: {_shown(old, key)} -> {_shown(new, key)}")
    return changes


def _shown(identity: Mapping[str, Any], key: str) -> str:
    if key not in identity:
        return "nothing"
    text = json.dumps(identity[key], ensure_ascii=False)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."


def link_file(source: Path, target: Path) -> None:
    """Put the file `source` also at `target`, by hard link if possible, else by copy."""
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(source, partial)
    partial.replace(target)
    partial.unlink(missing_ok=True)  # replacing a file by a link to itself leaves both names
