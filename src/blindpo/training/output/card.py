"""Write the model card of a finished run: RUN/README.md, which the Hub shows and a colleague reads first.

A pure function of what the run left: the same run gives the same bytes. No clock times, no paths of this machine, no
text of a row. Front matter as https://huggingface.co/docs/hub/model-cards says.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from blindpo.rows.row import PreferenceRow
from blindpo.training.methods import METHODS

UNSTATED: Final = "not stated"
CARD_METRICS: Final = (
    "loss", "rewards/accuracies", "rewards/blind_accuracies", "rewards/margins", "rewards/blind_margins",
    "logps/chosen", "health/chosen_shift", "health/blind_at_log2", "health/margin_length_correlation",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """Everything that a card says."""

    base: str
    """Hub id with revision, or the base folder's name."""
    is_hub_id: bool
    method: str
    is_adapter: bool
    data_hash: str
    counts: Mapping[str, int]
    licences: Mapping[str, int]
    """Number of distinct images by licence."""
    recipe: Mapping[str, Any]
    versions: Mapping[str, str]
    final: Mapping[str, float]
    warnings: Sequence[str]
    policy: Mapping[str, float | str]
    engine: str
    steps: int


def image_licences(rows: Iterable[PreferenceRow]) -> dict[str, int]:
    """Distinct images by licence as the data states it, most frequent first; unknown ones are counted, not left out."""
    licence_of = {image.sha256: image.licence or UNSTATED for row in rows for image in row.images}
    return dict(sorted(Counter(licence_of.values()).items(), key=lambda item: (-item[1], item[0])))


def model_card(facts: CardFacts) -> str:
    """The card as Markdown with YAML front matter."""
    front: dict[str, Any] = {
        "library_name": "peft" if facts.is_adapter else "transformers",
        "pipeline_tag": "image-text-to-text",
        "tags": ["blindpo", facts.method, "preference-optimization", "safety"],
        **({"base_model": facts.base.partition("@")[0]} if facts.is_hub_id else {}),
    }
    sections = [
        f"---\n{yaml.safe_dump(front, sort_keys=True)}---",
        f"# {facts.base} after {facts.method.upper()}",
        _opening(facts),
        "## Data\n\n" + _table(("", ""), [("hash of the rows", f"`{facts.data_hash}`"), *_rows(facts.counts)]),
        "Licences of the images, as the data states them:\n\n"
        + (_table(("licence", "images"), _rows(facts.licences)) if facts.licences else "There are no images."),
        "## Training\n\n" + _training(facts),
        "## Measures on the training rows\n\n" + _measures(facts),
        "## Limits\n\n" + _limits(facts),
    ]
    return "\n\n".join(sections) + "\n"


def _opening(facts: CardFacts) -> str:
    what = "A LoRA adapter for" if facts.is_adapter else "The weights of"
    method = METHODS[facts.method]
    return f"{what} `{facts.base}`, trained by {method.title} (arXiv {method.paper}) with blindpo."


def _training(facts: CardFacts) -> str:
    recipe = yaml.safe_dump(dict(facts.recipe), sort_keys=True, default_flow_style=None)
    return (
        f"{facts.steps} optimizer steps; engine: {facts.engine}.\n\nRecipe:\n\n```yaml\n{recipe}```\n\nVersions: "
        + ", ".join(f"{name} {number}" for name, number in sorted(facts.versions.items()))
        + "."
    )


def _measures(facts: CardFacts) -> str:
    shown = [(name, f"{facts.final[name]:.4g}") for name in CARD_METRICS if name in facts.final]
    shown += [
        (name, f"{value:.4g}") for name, value in sorted(facts.final.items()) if name.startswith(("eval_", "probe/"))
    ]
    text = _table(("at the last log", ""), shown)
    if "verdict" in facts.policy:
        text += f"\n\nBefore training: {facts.policy['verdict']}."
    return text + "".join(f"\n\nWarning: {warning}." for warning in facts.warnings)


def _limits(facts: CardFacts) -> str:
    return (
        "These are measures of the training objective, not of safety. Measure safety, over-refusal and modality "
        "cheating on held-out rows with `blindpo evaluate` before use. The licences of the base model, of the data and "
        "of the images apply."
    )


def _rows(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    return [(name, f"{number:,}") for name, number in counts.items()]


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    lines = [head, ("---", "---"), *rows]
    return "\n".join(f"| {left} | {right} |" for left, right in lines)
