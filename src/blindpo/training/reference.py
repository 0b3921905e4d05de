"""The three kinds of reference: cached before the first step, the policy with its adapter off, or a copy of the model.

The cache is computed once and kept on disk: one value per response, under the hash of its content. A value's key holds
token ids, image hashes and everything else that the value depends on (the model's fingerprint: weights, tokenizer,
template; precision, device, packed or separate sequences, attention, versions). So rows may be added, and DPO and BPO
on the same rows share what they have in common. A folder belongs to one reference; another one's is refused, and so is
a folder whose values are not what this model gives for a sample.

A run also keeps the values that it uses in its own folder. Whether computed now, computed before a kill or taken from
a shared folder, they are the same to the last bit when the run goes on.
"""

import copy
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from torch import Tensor, nn
from transformers import TrainingArguments

from blindpo.errors import ConfigError
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import read_json, write_json
from blindpo.jobs.progress import progress
from blindpo.models.vlm.load import Vlm
from blindpo.training.collator import Batch, Collator, ScoredPart
from blindpo.training.config import TrainConfig
from blindpo.training.examples import Example, Ids, Sets
from blindpo.training.micro_batches import padded_tokens, size_of
from blindpo.training.mismatch import ImageTokensError
from blindpo.training.precision import (
    HALF_NATS,
    TOLERANCE_NATS,
    autocast_dtype,
    cast_weights,
    reference_precision,
    weights_dtype,
)

Score = Callable[[Sequence[ScoredPart]], list[float]]
"""Summed log-probabilities of the parts' responses under the reference, part after part."""
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
        values: Values = {}
        for path in sorted(self.folder.glob("values-*.json")):
            values = {**read_json(path), **values}
        return values

    def _has_files(self) -> bool:
        """Whether there are files other than what a kill during the first write leaves."""
        return any(not path.name.startswith(".") for path in self.folder.iterdir())

    def _require_same(self, theirs: dict[str, str]) -> None:
        if theirs != self.identity:
            names = sorted(n for n in {*theirs, *self.identity} if theirs.get(n) != self.identity.get(n))
            raise ConfigError(
                f"reference_cache {self.folder} holds the log-probabilities of another reference (it differs in: "
                f"{', '.join(names)}); give another folder, or delete that one"
            )

    def add(self, values: Values) -> None:
        """Write values that were computed together to a file of their own, whole or not at all."""
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
    """Where the values of examples come from: the run's own cache, a shared one, else they are computed."""

    own: ReferenceCache
    shared: ReferenceCache | None
    score: Score
    rows_together: int
    tolerance_nats: float
    """How far a stored value of one token may be from the one computed now. A sum over T tokens may be sqrt(T) times as
    far, since rounding errors differ in sign."""
    process: int = 0
    num_processes: int = 1
    wait: Callable[[], None] = lambda: None
    """Returns when all processes have called it."""

    def of(self, sets: dict[str, list[Example]], *, quiet: bool = False) -> dict[str, list[Example]]:
        """The examples of each set with their `reference` filled in."""
        examples = [example for part in sets.values() for example in part]
        keys = {self.own.key(example, response) for example in examples for response in example.responses}
        known = self._known(keys)
        self._verify(examples, known)
        with nullcontext() if quiet or self.process else progress(len(examples), "reference") as bar:
            for number, group in enumerate(self._groups(sets)):
                if number % self.num_processes == self.process:
                    self._compute(group, known)
                if bar is not None:
                    bar.update(len(group))
        self.wait()
        known = self.own.open()
        return {name: [self._filled(example, known) for example in part] for name, part in sets.items()}

    def _known(self, keys: set[str]) -> Values:
        """The values known already. The shared cache's are copied to the run's own before anything is computed."""
        own = self.own.open()
        taken: Values = {}
        if self.shared is not None:
            taken = {key: value for key, value in self.shared.open().items() if key in keys and key not in own}
        if self.process == 0:
            self.own.add(taken)
        self.wait()
        return {**taken, **own}

    def _groups(self, sets: dict[str, list[Example]]) -> Iterator[list[Example]]:
        """Group rows that are computed together: the same groups before and after a kill."""
        for part in sets.values():
            for start in range(0, len(part), self.rows_together):
                yield part[start : start + self.rows_together]

    def _compute(self, group: Sequence[Example], known: Values) -> None:
        parts: list[ScoredPart] = []
        keys: list[str] = []
        for example in group:
            by_key = {self.own.key(example, response): response for response in example.responses}
            missing = {key: response for key, response in by_key.items() if key not in known and key not in keys}
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
        """Check a sample of stored values against the model. Raises ConfigError where they differ."""
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


def with_references(
    sets: Sets, start: Vlm, collator: Collator, *, config: TrainConfig, settings: TrainingArguments, folder: OutFolder
) -> Sets:
    """Add to each example the log-probabilities of its responses under the reference, the model before training."""

    def score(parts: Sequence[ScoredPart]) -> list[float]:
        values: list[float] = []
        for together in _within(parts, config.tokens_per_batch, collator):
            try:
                values += logps(together)
            except ImageTokensError:
                for part in together:
                    logps([part])  # alone, so that the error names one row
                raise
        return values

    def logps(together: Sequence[ScoredPart]) -> list[float]:
        with torch.no_grad():
            values: list[float] = collator.logps(start.model, collator.scored(together)).tolist()
        return values

    cast = weights_dtype(settings)
    half = autocast_dtype(settings) if cast is None else None
    dtype = start.model.dtype if cast is None else cast
    identity = {
        "model": start.fingerprint, "dtype": str(dtype), "autocast": str(half),
        "device": settings.device.type, "torch": torch.__version__, "transformers": transformers.__version__,
        "sequences": "separate" if collator.family is None else "packed",
        "attention": str(start.model.config.get_text_config()._attn_implementation),
    }  # fmt: skip
    shared = config.reference_cache
    exact = half is None and dtype in (torch.float32, torch.float64)
    references = References(
        own=ReferenceCache(folder=folder.work / "reference", identity=identity),
        shared=None if shared is None else ReferenceCache(folder=Path(shared), identity=identity),
        score=score,
        rows_together=settings.per_device_eval_batch_size,
        tolerance_nats=TOLERANCE_NATS if exact else HALF_NATS,
        process=settings.process_index,
        num_processes=settings.world_size,
        wait=settings.distributed_state.wait_for_everyone,
    )
    with reference_precision(start.model, settings):
        return references.of(sets, quiet=bool(settings.disable_tqdm))


def _within(parts: Sequence[ScoredPart], limit: int | None, collator: Collator) -> list[list[ScoredPart]]:
    """Split `parts`, in their order, so that no piece exceeds the budget."""
    pieces: list[list[ScoredPart]] = []
    for part in parts:
        longer = [*pieces[-1], part] if pieces else [part]
        sizes = [size_of(example, packed=collator.family is not None) for example, _ in longer]
        if pieces and (limit is None or padded_tokens(sizes) <= limit):
            pieces[-1] = longer
        else:
            pieces.append([part])
    return pieces


def frozen_copy(model: nn.Module, settings: TrainingArguments) -> nn.Module:
    """Copy the model before training, in the policy's precision: the reference of `reference=online`."""
    reference = copy.deepcopy(model).requires_grad_(False)
    dtype = weights_dtype(settings)
    if dtype is not None:
        cast_weights(reference, dtype)
    return reference


def copy_logps(reference: nn.Module, batch: Batch, collator: Collator) -> Tensor:
    """Log-probabilities under a frozen copy."""
    with torch.no_grad():
        return collator.logps(reference, batch)


def adapter_off_logps(model: nn.Module, batch: Batch, collator: Collator, *, unwrapped: Any) -> Tensor:
    """Log-probabilities under the policy `model` with its adapter off; `unwrapped` is it without DDP's wrapper."""
    with torch.no_grad(), unwrapped.disable_adapter():
        return collator.logps(model, batch)
