"""Examples for the page: rows with each model's answer, chosen where the models disagree most.

Images are decoded under the limits and encoded again, small, so that no byte of a stranger's file reaches the page.
"""

import io
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from PIL import Image

from blindpo.answer.response import Response
from blindpo.errors import ImageError
from blindpo.evaluation.eval_folder import StoredEval
from blindpo.evaluation.judges.verdict import Verdict
from blindpo.images.decode import decode_image
from blindpo.rows.row import ImageRef, PreferenceRow
from blindpo.rows.shards import read_rows

NUM_EXAMPLES: Final = 8
EMBEDDED_PX: Final = 320
TINY_PX: Final = 128
TEXT_CHARACTERS: Final = 1500


class ShownAnswer(NamedTuple):
    """One model's answer and its verdict."""

    model: str
    text: str
    verdict: str
    tone: str


class EmbeddedImage(NamedTuple):
    """An image as a data URI, or None if it cannot be decoded; `tiny` ones are enlarged with sharp pixels."""

    uri: str | None
    tiny: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownExample:
    """One row of the gallery. `hidden` is true unless the request is labelled harmless and no answer is unsafe."""

    row_id: str
    label: str
    hidden: bool
    images: tuple[EmbeddedImage, ...]
    turns: tuple[tuple[str, str], ...]
    answers: tuple[ShownAnswer, ...]


def examples(evaluations: Mapping[str, StoredEval], num_examples: int = NUM_EXAMPLES) -> list[ShownExample]:
    """Choose the rows with the most different verdicts, alternating labels; deterministic for the same folders."""
    responses = {name: {each.row_id: each for each in stored.responses if each.view == "as_is"}
            for name, stored in evaluations.items()}  # fmt: skip
    judged = {name: {each.row_id: each for each in stored.verdicts if each.view == "as_is"}
              for name, stored in evaluations.items()}  # fmt: skip
    if not evaluations:
        return []
    folder = next(iter(evaluations.values())).rows
    labels = {row.row_id: row.label for row in read_rows(folder)}
    wanted = _chosen(labels, judged, num_examples)
    rows = {row.row_id: row for row in read_rows(folder) if row.row_id in wanted}
    return [_example(rows[row_id], responses, judged) for row_id in wanted]


def _chosen(labels: Mapping[str, str], judged: Mapping[str, Mapping[str, Verdict]], num_examples: int) -> list[str]:
    def disagreement(row_id: str) -> int:
        verdicts_of_row = [verdicts[row_id] for verdicts in judged.values() if row_id in verdicts]
        return len({(verdict.harm, verdict.engagement, verdict.right) for verdict in verdicts_of_row})

    by_label: dict[str, list[str]] = {}
    for row_id in sorted(labels, key=lambda row_id: -disagreement(row_id)):
        by_label.setdefault(labels[row_id], []).append(row_id)
    in_turn = [(rank, label) for label, ids in by_label.items() for rank in range(len(ids))]
    return [by_label[label][rank] for rank, label in sorted(in_turn)[:num_examples]]


def _example(
    row: PreferenceRow, responses: Mapping[str, Mapping[str, Response]], judged: Mapping[str, Mapping[str, Verdict]]
) -> ShownExample:
    verdicts = [of_model.get(row.row_id) for of_model in judged.values()]
    unsafe = any(verdict is not None and verdict.harm == "unsafe" for verdict in verdicts)
    return ShownExample(
        row_id=row.row_id,
        label=row.label,
        hidden=unsafe or row.label != "harmless",
        images=tuple(embedded(image) for image in row.images),
        turns=tuple((turn.role, shortened(turn.text.strip())) for turn in row.prompt),
        answers=tuple(
            answer(model, responses[model].get(row.row_id), judged[model].get(row.row_id)) for model in responses
        ),
    )


def answer(model: str, response: Response | None, verdict: Verdict | None) -> ShownAnswer:
    """Return one model's answer with its verdict as text, or "no verdict"."""
    text = "" if response is None or response.text is None else shortened(response.text.strip())
    if response is not None and response.cut:
        text = f"{text} [cut]"
    if verdict is None or (verdict.harm, verdict.engagement) == ("none", "none"):
        return ShownAnswer(model, text, "no verdict", "open")
    words = [word for word in (verdict.harm, verdict.engagement.replace("_", " ")) if word != "none"]
    words += {"yes": ["right"], "no": ["not right"]}.get(verdict.right, [])
    bad = verdict.harm == "unsafe" or verdict.right == "no"
    return ShownAnswer(
        model, text, ", ".join(words), "worse" if bad else "better" if verdict.right == "yes" else "other"
    )


def shortened(text: str) -> str:
    """Return the text up to a limit, with a mark if something was left out."""
    return text if len(text) <= TEXT_CHARACTERS else f"{text[:TEXT_CHARACTERS]} [...]"


def embedded(image: ImageRef) -> EmbeddedImage:
    """Return the image, at most 320 pixels wide or high, as a data URI that we encoded ourselves."""
    try:
        decoded = decode_image(image.data)
    except ImageError:
        return EmbeddedImage(None)
    decoded.thumbnail((EMBEDDED_PX, EMBEDDED_PX), Image.Resampling.LANCZOS)
    sink = io.BytesIO()
    tiny = max(decoded.size) <= TINY_PX
    kind = "PNG" if tiny else "JPEG"
    decoded.save(sink, format=kind, quality=82)
    return EmbeddedImage(f"data:image/{kind.lower()};base64,{b64encode(sink.getvalue()).decode('ascii')}", tiny)
