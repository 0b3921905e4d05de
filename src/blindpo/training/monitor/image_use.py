"""Does the model look? A few fixed rows, scored and answered every `probe_steps` steps under three views.

As they are, with the image removed, and with another image of the data in its place. A model that answers the same
whatever it is shown, or finds the chosen response as likely without the image, goes by the text alone (modality
cheating, arXiv 2503.14189, section 2). Answers are greedy, so nothing is drawn; the state of the random generators is
put back, so a probed run ends with the same weights as one without probes. All processes probe the same rows, since
sharded models need all of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

import torch

from blindpo.answer.answerer import Ask
from blindpo.answer.local import encode_row, respond, score_batches
from blindpo.answer.views import shown_row
from blindpo.errors import RowError
from blindpo.models.vlm.generation_config import GenerationConfig
from blindpo.models.vlm.load import Vlm
from blindpo.models.vlm.prompt import encode_response
from blindpo.rows.image_index import ImageIndex
from blindpo.rows.row import PreferenceRow
from blindpo.rows.view_names import View, current_view
from blindpo.rows.views import OtherImages
from blindpo.training.methods import METHODS

PROBE_VIEWS: Final[tuple[View, ...]] = ("as_is", "removed", "swapped")
BATCH: Final = 4
ANSWER_TOKENS: Final = 48


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """One row under all views that it has."""

    row: PreferenceRow
    views: dict[View, PreferenceRow]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One probe: means over rows, and each row's answers."""

    means: dict[str, float]
    answers: list[dict[str, str]]

    def to_json(self, step: int) -> dict[str, Any]:
        """One line of probes.jsonl."""
        return {"step": step, **self.means, "answers": self.answers}


def probe_rows(rows: Sequence[PreferenceRow], number: int) -> list[ProbeRow]:
    """`number` rows with images, the same for the same data whatever its order; each with its views."""
    with_images = [row for row in rows if row.images and row.chosen]
    kept = sorted(with_images, key=lambda row: sha256(row.row_id.encode()).hexdigest())[:number]
    images = OtherImages(of_data=ImageIndex.of_rows(rows))
    return [ProbeRow(row, _views(row, images)) for row in kept]


def _views(row: PreferenceRow, images: OtherImages) -> dict[View, PreferenceRow]:
    views: dict[View, PreferenceRow] = {}
    for view in PROBE_VIEWS:
        try:
            views[view] = shown_row(row, view, images)
        except RowError:
            continue  # no other image: the row has no such view
    return views


def probe(vlm: Vlm, rows: Sequence[ProbeRow]) -> ProbeResult:
    """Score the chosen response, and answer, under every view.

    `means` holds, by "probe/", the log-probability per token of the chosen response under each view, in nats, and the
    share of answers that the other two views change.
    """
    with _left_as_it_was(vlm.model):
        scores = {name: _scores(vlm, rows, name) for name in PROBE_VIEWS}
        answers = {name: _answers(vlm, rows, name) for name in PROBE_VIEWS}
    means = {f"probe/chosen_{name}": sum(each.values()) / len(each) for name, each in scores.items() if each}
    for name in PROBE_VIEWS[1:]:
        both = answers[name].keys() & answers["as_is"].keys()
        if both:
            changed = sum(answers[name][row_id] != answers["as_is"][row_id] for row_id in both)
            means[f"probe/changed_{name}"] = changed / len(both)
    listed = [
        {
            "row_id": r.row.row_id,
            **{name: answers[name][r.row.row_id] for name in PROBE_VIEWS if r.row.row_id in answers[name]},
        }
        for r in rows
    ]
    return ProbeResult(means, listed)


def probe_figures(record: Mapping[str, Any]) -> dict[str, float]:
    """The means in one line of probes.jsonl, under the names of today.

    >>> probe_figures({"step": 2, "probe/chosen_with_image": -1.5, "answers": []})
    {'probe/chosen_as_is': -1.5}
    """
    figures = {}
    for name, value in record.items():
        if name.startswith("probe/"):
            what, _, view = name.partition("_")
            figures[f"{what}_{current_view(view)}"] = value
    return figures


def verdict(means: dict[str, float]) -> str | None:
    """A warning where the last probe shows a model that does not look; None where it does."""
    seen, unseen = means.get("probe/chosen_as_is"), means.get("probe/chosen_removed")
    changed = [means[f"probe/changed_{name}"] for name in PROBE_VIEWS[1:] if f"probe/changed_{name}" in means]
    if seen is None or unseen is None:
        return None
    if changed and max(changed) == 0:
        blind = " or ".join(name for name, method in METHODS.items() if method.uses_blind)
        return (
            "the probe's answers are the same with the image, without it and with another one: the model does not "
            f"look. Blind responses (method={blind}) work against this; train longer, or see whether the rows need "
            "their images"
        )
    if seen <= unseen:
        return (
            f"the image does not help: a token of the chosen response is as likely without it ({unseen:.3f} nats) as "
            f"with it ({seen:.3f}). See whether the chosen responses speak of their images"
        )
    return None


def _scores(vlm: Vlm, rows: Sequence[ProbeRow], name: View) -> dict[str, float]:
    """Log-probability per token of the chosen response under view `name`, by row id."""
    having = [row for row in rows if name in row.views]
    sequences = (
        (encode_row(vlm, r.views[name]), encode_response(vlm.processor, r.views[name].prompt, r.row.chosen or ""))
        for r in having
    )
    means = (mean for logps in score_batches(vlm, sequences, BATCH) for mean in logps.per_token_N.tolist())
    return {r.row.row_id: mean for r, mean in zip(having, means, strict=True)}


def _answers(vlm: Vlm, rows: Sequence[ProbeRow], name: View) -> dict[str, str]:
    asks = [Ask(row=r.row, view=name, shown=r.views[name]) for r in rows if name in r.views]
    responses = respond(vlm, asks, GenerationConfig(max_new_tokens=ANSWER_TOKENS, batch_size=BATCH))
    return {response.row_id: response.text or "" for response in responses}


def usable_rows(vlm: Vlm, rows: Sequence[ProbeRow]) -> list[ProbeRow]:
    """The rows whose every view the processor takes; a view that it refuses is left out of its row."""
    kept = []
    for row in rows:
        views = {name: seen for name, seen in row.views.items() if _is_taken(vlm, seen)}
        if "as_is" in views:
            kept.append(replace(row, views=views))
    return kept


def _is_taken(vlm: Vlm, row: PreferenceRow) -> bool:
    try:
        encode_row(vlm, row)
    except RowError:
        return False
    return True


@contextmanager
def _left_as_it_was(model: Any) -> Iterator[None]:
    """Evaluation mode and a cache for answering inside; modes, flags and random states as before outside."""
    training, cache = model.training, model.config.use_cache
    with torch.random.fork_rng(devices=list(range(torch.cuda.device_count()))):
        model.eval()
        model.config.use_cache = True
        try:
            yield
        finally:
            model.config.use_cache = cache
            model.train(training)
