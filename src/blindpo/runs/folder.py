"""The output folder of one run: whose it is, whether it is new, half done or finished.

A folder is finished when its `manifest.json` is there: that file is written last. Until then `.work/run.json` says
which command it belongs to, so that the same command goes on and another one is refused. Clock times stand in
`timings.json` alone: every other file has the same bytes when the same command runs again.
"""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from blindpo.errors import OutputError
from blindpo.rows.shards import WORK
from blindpo.runs.manifest import read_json, versions, write_json

State = Literal["new", "resume", "done"]


class OutFolder:
    """`--out` of one run. `identity` is JSON that tells runs apart: command, options and the hashes of what is read."""

    def __init__(self, path: Path, identity: Mapping[str, object]) -> None:
        self.path = path
        self.identity = json.loads(json.dumps(identity))
        self.work = path / WORK
        self._started = time.time()

    def begin(self) -> State:
        """Claim the folder. Raises OutputError where it holds another run, or files that no run wrote."""
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"--out {self.path} is a file; give a folder that is new or empty")
        for record, state in ((self.path / "manifest.json", "done"), (self.work / "run.json", "resume")):
            if record.is_file():
                self._require_same(record)
                if state == "done":
                    # a kill between the manifest and the clean-up leaves the work state behind
                    shutil.rmtree(self.work, ignore_errors=True)
                    return "done"
                return "resume"
        if self.path.is_dir() and any(child.name != WORK for child in self.path.iterdir()):
            raise OutputError(f"--out {self.path} holds files that no run of blindpo wrote; give a new or empty folder")
        self._make_work()
        write_json(self.work / "run.json", {"identity": self.identity})
        return "new"

    def _make_work(self) -> None:
        try:
            self.work.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"--out {self.path} cannot be made ({error.strerror}); give a folder that can be written"
            ) from error

    def _require_same(self, record: Path) -> None:
        content = read_json(record)
        found = content.get("identity") if isinstance(content, dict) else None
        if found == self.identity:
            return
        theirs = found if isinstance(found, dict) else {}
        keys = sorted(k for k in {*theirs, *self.identity} if theirs.get(k) != self.identity.get(k))
        raise OutputError(
            f"--out {self.path} holds another run (it differs in: {', '.join(keys) or 'everything'}); "
            "give another folder, or delete that one"
        )

    def finish(self, manifest: Mapping[str, object], timings: Mapping[str, object] | None = None) -> None:
        """Write `timings.json`, then `manifest.json` last, and remove the work state."""
        clock = {"started": self._started, "finished": time.time(), **(timings or {})}
        write_json(self.path / "timings.json", clock)
        write_json(self.path / "manifest.json", {"identity": self.identity, "versions": versions(), **manifest})
        shutil.rmtree(self.work, ignore_errors=True)

    def manifest(self) -> dict[str, object]:
        """The manifest of a finished run."""
        content: dict[str, object] = read_json(self.path / "manifest.json")
        return content
