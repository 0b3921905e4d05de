"""`blindpo blind`: the reference model answers every row under a view without its image; rows go out with `blind`.

Work is cut into shards of rows: a shard's answers depend on its rows, the model and the seed, so a run that was killed
goes on and ends with the same bytes. Existing blind responses are kept; new ones are appended.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from blindpo.answer.config import AnswerConfig
from blindpo.blinding.checks import BlindSummary, compare, summarise
from blindpo.errors import ConfigError, NothingKeptError, RowError
from blindpo.images.decode import decode_image
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.seeds import derive_seed
from blindpo.jobs.shards import Reject, ShardResult, run_sharded
from blindpo.models.vlm.generate import Answer, Request, generate
from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.logprobs import response_logps
from blindpo.models.vlm.prompt import collate, encode_prompt, encode_response
from blindpo.models.vlm.source import ModelSource, fingerprint
from blindpo.rows.row import BlindMode, BlindResponse, ImageRef, PreferenceRow
from blindpo.rows.shards import count_rows, data_hash, read_rows
from blindpo.rows.views import view


@dataclass(frozen=True, kw_only=True)
class BlindConfig(AnswerConfig):
    """How blind responses are made: sampled by default, under one view."""

    mode: BlindMode = "remove"
    """What the model sees: no image (the paper), a blank one, noise, another row's image, or the image ("sight")."""
    draws: int = 1
    """Responses per row; more than one needs a temperature."""
    temperature: float = 1.0
    """0 is greedy."""
    shard_rows: int = 32
    """Rows made between two saves; a kill loses one such shard at most."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.draws < 1:
            raise ConfigError("draws must be at least 1")
        if self.draws > 1 and self.temperature == 0.0:
            raise ConfigError("draws above 1 at temperature 0 are all the same; raise temperature")

    def identity(self) -> dict[str, Any]:
        """What tells runs apart; the address of a server is in the model's own identity."""
        return {key: value for key, value in super().identity().items() if key != "model_server"}


def run_blind(
    config: BlindConfig, data: Path, model: ModelSource, out: Path, *, vlm: Vlm | None = None
) -> BlindSummary:
    """Answer all rows of `data` into `out`. `vlm` is `model` where it is loaded already. Resumes and repeats safely."""
    config.require_options("local")
    num_rows = count_rows(data)
    print_of_model = vlm.fingerprint if vlm is not None else fingerprint(model)
    identity = {"command": "blind", "config": config.identity(), "data": data_hash(data), "model": print_of_model}
    folder = OutFolder(out, identity)
    if folder.begin() == "done":
        return BlindSummary(**folder.manifest()["summary"])  # type: ignore[arg-type]
    worker = _Worker(
        config, data, lambda: vlm or load_vlm(model, dtype=config.dtype, image_padding=config.image_padding)
    )
    totals = run_sharded(folder, -(-num_rows // config.shard_rows), worker.shard, what="blind shards")
    if not totals.kept:
        raise NothingKeptError(f"no row of {data} could be kept; {out / 'rejects.jsonl'} says why")
    summary = summarise(totals.counts, rows=totals.kept, rejected=totals.rejected)
    counts = {"read": num_rows, "kept": totals.kept, "rejected": totals.rejected}
    folder.finish({"counts": counts, "summary": asdict(summary), "warnings": summary.warnings})
    return summary


class _Worker:
    """Makes one shard at a time; the model is loaded when the first shard needs it."""

    def __init__(self, config: BlindConfig, data: Path, load: Callable[[], Vlm]) -> None:
        self._config = config
        self._load = load
        self._loaded: Vlm | None = None
        self._rows = read_rows(data)
        self._next_row = 0
        self._pictures = _distinct_images(data) if config.mode == "swap" else {}

    def shard(self, number: int) -> ShardResult:
        """Shard `number`; numbers must rise, since rows are read once."""
        self._loaded = self._loaded or self._load()
        rejects: list[Reject] = []
        counts: Counter[str] = Counter()
        rows, views = self._usable(self._loaded, self._take(number), rejects)
        requests = [
            Request(row_id=row.row_id, draw=len(row.blind) + draw, turns=seen.prompt, images=seen.images)
            for row, seen in zip(rows, views, strict=True)
            for draw in range(self._config.draws)
        ]
        answers = generate(self._loaded, requests, self._config)
        kept = []
        for place, row in enumerate(rows):
            start = place * self._config.draws
            mine = list(zip(requests[start:], answers[start : start + self._config.draws], strict=False))
            kept.append(self._with_answers(self._loaded, row, mine, counts))
        sums: dict[str, float] = dict(counts)
        sums |= _likelihood(self._loaded, rows, kept, self._config.batch_size)
        return ShardResult(rows=kept, rejects=rejects, counts=sums)

    def _take(self, number: int) -> list[PreferenceRow]:
        start = number * self._config.shard_rows
        for _ in islice(self._rows, start - self._next_row):
            pass
        self._next_row = start + self._config.shard_rows
        return list(islice(self._rows, self._config.shard_rows))

    def _usable(
        self, vlm: Vlm, rows: Sequence[PreferenceRow], rejects: list[Reject]
    ) -> tuple[list[PreferenceRow], list[PreferenceRow]]:
        """Rows that the processor accepts as they are, and under the view; the others are rejected with the reason."""
        kept, views = [], []
        for row in rows:
            try:
                seen = self._view(row)
                encode_prompt(vlm.processor, row.prompt, [decode_image(image.data) for image in row.images])
            except RowError as error:
                rejects.append(
                    Reject(row_id=row.row_id, field=error.field or "prompt", reason=error.reason, stage="blind")
                )
            else:
                kept.append(row)
                views.append(seen)
        return kept, views

    def _view(self, row: PreferenceRow) -> PreferenceRow:
        seed = derive_seed(self._config.seed, row.row_id, "view", self._config.mode)
        generator = np.random.default_rng(seed)
        other = self._other(row, generator) if self._config.mode == "swap" and row.images else None
        return view(row, self._config.mode, generator=generator, other=other)

    def _other(self, row: PreferenceRow, generator: np.random.Generator) -> ImageRef:
        own = {image.sha256 for image in row.images}
        others = [name for name in self._pictures if name not in own]
        if not others:
            raise RowError("no other row has a different image to swap with", row_id=row.row_id, field="images")
        return self._pictures[others[int(generator.integers(len(others)))]]

    def _with_answers(
        self, vlm: Vlm, row: PreferenceRow, answers: Sequence[tuple[Request, Answer | None]], counts: Counter[str]
    ) -> PreferenceRow:
        made = []
        for request, answer in answers:
            if answer is None:
                counts["blank_draws"] += 1
                continue
            made.append(self._response(vlm, request, answer))
            counts.update({"responses": 1, "cut": int(answer.cut), "tokens": answer.num_tokens})
            counts.update({"redraws": answer.redraws, "thoughts": int(bool(answer.thought))})
            counts.update(compare(answer.text, row.chosen))
        counts["without_blind"] += not made
        return replace(row, blind=(*row.blind, *made))

    def _response(self, vlm: Vlm, request: Request, answer: Answer) -> BlindResponse:
        return BlindResponse(
            text=answer.text,
            cut=answer.cut,
            mode=self._config.mode,
            model=vlm.fingerprint,
            revision=vlm.source.revision if vlm.source else None,
            temperature=self._config.temperature,
            top_p=self._config.top_p,
            top_k=self._config.top_k,
            max_new_tokens=self._config.max_new_tokens,
            seed=self._config.seed,
            draw=request.draw,
        )


def _distinct_images(data: Path) -> dict[str, ImageRef]:
    """Every different image of the data set once, by hash in order; all of them in memory, encoded."""
    found = {image.sha256: image for row in read_rows(data) for image in row.images}
    return dict(sorted(found.items()))


def _likelihood(
    vlm: Vlm, before: Sequence[PreferenceRow], after: Sequence[PreferenceRow], batch_size: int
) -> dict[str, float]:
    """Summed log-probability of the new blind responses with the row's own images in the prompt, and their tokens."""
    examples = [
        (row, response) for row, made in zip(before, after, strict=True) for response in made.blind[len(row.blind) :]
    ]
    total, num_tokens = 0.0, 0
    with torch.inference_mode():
        for batch in _by_length(examples, batch_size):
            prompts = [
                encode_prompt(vlm.processor, row.prompt, [decode_image(i.data) for i in row.images]) for row, _ in batch
            ]
            ids = [encode_response(vlm.processor, row.prompt, made.text, cut=made.cut) for row, made in batch]
            logps = response_logps(vlm.model, collate(prompts, ids, pad_id=vlm.pad_id))
            total += float(logps.sums_N.double().sum())
            num_tokens += int(logps.num_tokens_N.sum())
    return {"logp_with_image": total, "scored_tokens": num_tokens}


def _by_length(examples: Sequence[tuple[PreferenceRow, BlindResponse]], size: int) -> Iterator[Sequence[Any]]:
    ordered = sorted(examples, key=lambda pair: sum(len(t.text) for t in pair[0].prompt) + len(pair[1].text))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
