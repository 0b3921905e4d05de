"""Log-probabilities of the reference model: computed once, kept on disk, found by content alone.

An entry's address is the prompt's and the response's tokens and the image bytes; the file's name adds the model's
fingerprint and the dtype. So a stale entry cannot be found, and runs share what they have in common. Lines are
appended; a kill leaves at most one broken line, which is dropped.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from blindpo.models.logprobs import response_logps
from blindpo.models.prompt import collate
from blindpo.runs.progress import progress
from blindpo.train.examples import Example


class ReferenceCache:
    """The file of one reference model at one dtype inside `folder`."""

    def __init__(self, folder: Path, *, fingerprint: str, dtype: str) -> None:
        self.path = folder / f"{fingerprint[:32].replace('/', '_')}-{dtype}.jsonl"

    def load(self) -> dict[str, float]:
        """All whole entries."""
        found: dict[str, float] = {}
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8").splitlines(keepends=True):
                if line.endswith("\n"):
                    entry = json.loads(line)
                    found[entry["response"]] = entry["logp"]
        return found

    def append(self, entries: dict[str, float]) -> None:
        """Add entries in one write. A half line that a kill left is ended first."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps({"response": key, "logp": logp}) + "\n" for key, logp in entries.items())
        if self.path.is_file() and self.path.stat().st_size and not self.path.read_bytes().endswith(b"\n"):
            self._drop_half_line()
        with self.path.open("a", encoding="utf-8") as file:
            file.write(lines)

    def _drop_half_line(self) -> None:
        whole = self.path.read_bytes().rpartition(b"\n")[0]
        self.path.write_bytes(whole + b"\n" if whole else b"")


def reference_logps(
    model: Any, examples: Sequence[Example], cache: ReferenceCache, *, pad_id: int, batch_sequences: int, bf16: bool
) -> dict[str, float]:
    """log pi_ref(y|x) of every response of `examples`, from the cache where it is there."""
    known = cache.load()
    missing = [(e, k) for e in examples for k in range(len(e.responses)) if e.keys[k] not in known]
    missing.sort(key=lambda pair: len(pair[0].prompt.input_ids) + len(pair[0].responses[pair[1]]))
    with progress(len(missing), "reference") as bar:
        for part in _parts(missing, batch_sequences):
            entries = _score(model, part, pad_id=pad_id, bf16=bf16)
            cache.append(entries)
            known.update(entries)
            bar.update(len(part))
    return known


def _parts(items: Sequence[tuple[Example, int]], size: int) -> Iterator[Sequence[tuple[Example, int]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


@torch.inference_mode()
def _score(model: Any, part: Sequence[tuple[Example, int]], *, pad_id: int, bf16: bool) -> dict[str, float]:
    batch = collate([e.prompt for e, _ in part], [e.responses[k] for e, k in part], pad_id=pad_id)
    with torch.autocast(next(model.parameters()).device.type, dtype=torch.bfloat16, enabled=bf16):
        sums = response_logps(model, batch).sums_N
    return {e.keys[k]: float(logp) for (e, k), logp in zip(part, sums, strict=True)}
