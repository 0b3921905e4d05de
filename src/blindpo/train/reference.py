"""Reference log-probabilities, computed once and kept on disk under the hash of all that they depend on.

The key holds the model's fingerprint (weights, tokenizer, template), precision, device, torch's version, and, of every
sequence computed together, token ids and image hashes: a stale value has another key. Since a batch's composition is in
the key too, a value is the same to the last bit whether it was computed now or before a kill. Pairs and blind responses
are computed apart, so that DPO and BPO on the same rows share the pairs.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from blindpo.runs.manifest import read_json, write_json
from blindpo.runs.progress import progress
from blindpo.train.examples import Example, Ids

Sequences = list[tuple[Example, Ids]]
Score = Callable[[Sequences], list[float]]
"""Summed log-probabilities of responses under the reference, in one forward pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceCache:
    """A folder of computed values, and what they depend on beside the sequences."""

    folder: Path
    identity: dict[str, str]
    batch_size: int
    """Rows computed together."""

    def values(self, sequences: Sequences, score: Score) -> list[float]:
        """The log-probabilities of `sequences`, read where they are known."""
        if not sequences:
            return []
        path = self.folder / f"{self.key(sequences)}.json"
        if path.is_file():
            known: list[float] = read_json(path)["logps"]
            return known
        self.folder.mkdir(parents=True, exist_ok=True)
        values = score(sequences)
        write_json(path, {"logps": values, "row_ids": [example.row.row_id for example, _ in sequences]})
        return values

    def key(self, sequences: Sequences) -> str:
        """Hash of all that the values depend on, in hex."""
        digest = sha256(json.dumps(self.identity, sort_keys=True).encode())
        for example, response in sequences:
            known = [example.prompt.input_ids.tolist(), list(response), list(example.image_key)]
            digest.update(json.dumps(known).encode())
        return digest.hexdigest()


def with_reference(
    examples: Sequence[Example], score: Score, cache: ReferenceCache, *, quiet: bool = False
) -> list[Example]:
    """The examples with their `reference` filled in."""
    found: list[Example] = []
    with nullcontext() if quiet else progress(len(examples), "reference") as bar:
        for start in range(0, len(examples), cache.batch_size):
            part = examples[start : start + cache.batch_size]
            pairs = iter(cache.values([(e, r) for e in part for r in (e.chosen, *e.rejected)], score))
            blind = iter(cache.values([(e, r) for e in part for r in e.blind], score))
            for example in part:
                values = [next(pairs) for _ in range(1 + len(example.rejected))]
                values += [next(blind) for _ in example.blind]
                found.append(replace(example, reference=tuple(values)))
            if bar is not None:
                bar.update(len(part))
    return found
