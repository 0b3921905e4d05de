"""Reference log-probabilities, computed once and kept on disk: one value a response, under the hash of its content.

A value's key holds token ids, image hashes and all that the value depends on beside them (the model's fingerprint:
weights, tokenizer, template; precision, device, packed or separate sequences, attention, versions). So rows may be
added, and DPO and BPO on the same rows share what they have in common. A folder belongs to one reference; another one's
is refused, and so is one whose values are not what this model gives for a sample.

What a run uses stands in its own folder too: computed now or before a kill, or taken from a shared folder, it is the
same to the last bit when the run goes on.
"""

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from blindpo.errors import ConfigError
from blindpo.jobs.manifest import read_json, write_json
from blindpo.jobs.progress import progress
from blindpo.training.collator import Part
from blindpo.training.examples import Example, Ids

Score = Callable[[Sequence[Part]], list[float]]
"""Summed log-probabilities of the asked responses under the reference, part after part."""
Values = dict[str, float]

RECORD: Final = "cache.json"
SAMPLE_ROWS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceCache:
    """A folder of values of one reference: `cache.json` says whose, each other file holds values computed together."""

    folder: Path
    identity: dict[str, str]

    def open(self) -> Values:
        """All values. Raises ConfigError where the folder is another reference's, or no cache at all."""
        record = self.folder / RECORD
        if record.is_file():
            self._require_same(read_json(record))
        elif self.folder.exists() and (not self.folder.is_dir() or self._has_files()):
            raise ConfigError(f"reference_cache {self.folder} holds something else; give a folder that is new or empty")
        found: Values = {}
        for path in sorted(self.folder.glob("values-*.json")):
            found = {**read_json(path), **found}
        return found

    def _has_files(self) -> bool:
        """Whether anything is there but what a kill amid the first write leaves."""
        return any(not path.name.startswith(".") for path in self.folder.iterdir())

    def _require_same(self, theirs: dict[str, str]) -> None:
        if theirs != self.identity:
            names = sorted(n for n in {*theirs, *self.identity} if theirs.get(n) != self.identity.get(n))
            raise ConfigError(
                f"reference_cache {self.folder} holds the log-probabilities of another reference (it differs in: "
                f"{', '.join(names)}); give another folder, or delete that one"
            )

    def add(self, values: Values) -> None:
        """Keep values that were computed together, in a file of their own: whole or not at all."""
        if values:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(RECORD, self.identity)
            name = sha256("".join(sorted(values)).encode()).hexdigest()[:32]
            self._write(f"values-{name}.json", values)

    def _write(self, name: str, content: object) -> None:
        own = self.folder / f".{os.getpid()}.{name}"  # several processes and runs may write here at once
        write_json(own, content)
        own.replace(self.folder / name)

    def key(self, example: Example, response: Ids) -> str:
        """Hash of all that the value depends on, in hex."""
        content = [example.prompt.input_ids.tolist(), list(response), list(example.image_key)]
        return sha256(json.dumps([self.identity, content], sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """How the values of examples are found: in the run's own cache, in a shared one, else computed."""

    own: ReferenceCache
    shared: ReferenceCache | None
    score: Score
    rows_together: int
    tolerance_nats: float
    """A token of a stored value may be off from one that is computed now by this much, the sum of T tokens by sqrt(T)
    times that: what rounding does to one has not always the same sign."""
    process: int = 0
    num_processes: int = 1
    wait: Callable[[], None] = lambda: None
    """Returns when all processes are there."""

    def of(self, sets: dict[str, list[Example]], *, quiet: bool = False) -> dict[str, list[Example]]:
        """The examples of each set with their `reference` filled in."""
        examples = [example for part in sets.values() for example in part]
        keys = {self.own.key(example, response) for example in examples for response in example.responses}
        known = self._known(keys)
        self._verify(examples, known)
        with nullcontext() if quiet or self.process else progress(len(examples), "reference") as bar:
            for place, group in enumerate(self._groups(sets)):
                if place % self.num_processes == self.process:
                    self._compute(group, known)
                if bar is not None:
                    bar.update(len(group))
        self.wait()
        known = self.own.open()
        return {name: [self._filled(example, known) for example in part] for name, part in sets.items()}

    def _known(self, keys: set[str]) -> Values:
        """What is known already; what the shared cache has is copied to the run's own before anything is computed."""
        own = self.own.open()
        taken: Values = {}
        if self.shared is not None:
            taken = {key: value for key, value in self.shared.open().items() if key in keys and key not in own}
        if self.process == 0:
            self.own.add(taken)
        self.wait()
        return {**taken, **own}

    def _groups(self, sets: dict[str, list[Example]]) -> Iterator[list[Example]]:
        """Rows that are computed together: the same ones before and after a kill."""
        for part in sets.values():
            for start in range(0, len(part), self.rows_together):
                yield part[start : start + self.rows_together]

    def _compute(self, group: Sequence[Example], known: Values) -> None:
        parts: list[Part] = []
        keys: list[str] = []
        for example in group:
            asked = {self.own.key(example, response): response for response in example.responses}
            missing = {key: response for key, response in asked.items() if key not in known and key not in keys}
            if missing:
                parts.append((example, list(missing.values())))
                keys += missing
        if parts:
            values = dict(zip(keys, self.score(parts), strict=True))
            known.update(values)
            for cache in (self.shared, self.own):
                if cache is not None:
                    cache.add(values)

    def _verify(self, examples: Sequence[Example], known: Values) -> None:
        """Raises ConfigError where a sample of stored values is not what the model gives."""
        stored = [e for e in examples if all(self.own.key(e, response) in known for response in e.responses)]
        for example in stored[:: max(1, -(-len(stored) // SAMPLE_ROWS))]:
            for response, now in zip(example.responses, self.score([(example, example.responses)]), strict=True):
                value = known[self.own.key(example, response)]
                if not abs(value - now) <= self.tolerance_nats * math.sqrt(max(1, len(response))):
                    folder = self.own.folder if self.shared is None else self.shared.folder
                    raise ConfigError(
                        f"{folder}: a stored reference log-probability of row {example.row.row_id} is {value:.4f}, but "
                        f"this model gives {now:.4f}: the cache is stale or was changed. Delete it"
                        + ("." if self.shared is None else ", or give another reference_cache.")
                    )

    def _filled(self, example: Example, known: Values) -> Example:
        values = tuple(known[self.own.key(example, response)] for response in example.responses)
        return replace(example, reference=values)
