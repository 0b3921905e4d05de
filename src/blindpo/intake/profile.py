"""Measure for any data folder what the paper reports about its own data, in one pass and without decoding images.

Tokens are words split at white space, counting role words and image tags, since that reproduces the paper's figures on
its released test split: 144.9 per conversation (question, chosen and rejected together) against 145.13 printed, 22.6
per instruction against 23.52.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from blindpo.errors import SourceError
from blindpo.jobs.manifest import read_json
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_rows

ENTITY_NAMES: Final = {"PER": "people", "LOC": "locations", "ORG": "organisations", "MISC": "others"}
ENTITIES: Final = ("people", "organisations", "locations", "others")
TURNS: Final = ("1", "2", "3", "4", "5 or more")
UNKNOWN_NAME: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Counts and lengths of one data set. Unknown values are None or empty."""

    name: str
    instructions: int
    responses: int
    distinct_images: int | None
    before_filtering: int | None = None
    """Number of instructions that the build read, if known."""
    tokens_per_instruction: float | None = None
    tokens_per_conversation: float | None = None
    share_with_history: float | None = None
    turns: Mapping[str, int] = field(default_factory=dict)
    """Rows by number of user turns, under the names of `TURNS`."""
    entity_types: Mapping[str, int] = field(default_factory=dict)
    categories: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    """Rows by their path of categories, the widest first; () is unknown."""
    instruction_lengths: tuple[int, ...] = ()
    conversation_lengths: tuple[int, ...] = ()
    funnel: tuple[tuple[str, int], ...] = ()
    """Steps of the build and the number of rows left after each, if known."""


PAPER_PROFILES: Final = (
    Profile(name="MMSafe-PO train", instructions=5392, responses=10784, distinct_images=None, before_filtering=42537),
    Profile(name="MMSafe-PO test", instructions=275, responses=550, distinct_images=None, before_filtering=2312),
    Profile(
        name="MMSafe-PO",
        instructions=5667,
        responses=11334,
        distinct_images=2091,
        before_filtering=44849,
        tokens_per_instruction=23.52,
        tokens_per_conversation=145.13,
        share_with_history=0.5049,
        turns=dict(zip(TURNS, (2806, 1207, 955, 530, 169), strict=True)),
        entity_types={"people": 1526, "locations": 1223, "organisations": 1011, "others": 1907},
    ),
)
"""The paper's figures (arXiv 2503.14189, section 3). We summed its train and test columns."""


def profile(data: Path) -> Profile:
    """Measure a data folder. Raises SourceError if it is not one."""
    counts: Counter[str] = Counter()
    turns: Counter[str] = Counter()
    types: Counter[str] = Counter()
    categories: Counter[tuple[str, ...]] = Counter()
    images: set[str] = set()
    instructions: list[int] = []
    conversations: list[int] = []
    for row in read_rows(data):
        users = sum(turn.role == "user" for turn in row.prompt)
        counts.update(rows=1, with_history=users > 1, responses=_num_responses(row))
        turns[str(users) if users < 5 else TURNS[-1]] += 1
        types[_type_name(row)] += 1
        categories[tuple(row.categories)] += 1
        images.update(image.sha256 for image in row.images)
        instructions.append(num_words(row, whole=False))
        conversations.append(num_words(row, whole=True))
    rows = counts["rows"]
    funnel = _funnel(data)
    return Profile(
        name="this data",
        instructions=rows,
        responses=counts["responses"],
        distinct_images=len(images),
        before_filtering=funnel[0][1] if funnel else None,
        tokens_per_instruction=sum(instructions) / rows if rows else None,
        tokens_per_conversation=sum(conversations) / rows if rows else None,
        share_with_history=counts["with_history"] / rows if rows else None,
        turns={name: turns[name] for name in TURNS},
        entity_types=dict(sorted(types.items())),
        categories=dict(sorted(categories.items())),
        instruction_lengths=tuple(instructions),
        conversation_lengths=tuple(conversations),
        funnel=funnel,
    )


def num_words(row: PreferenceRow, *, whole: bool) -> int:
    """Count the words of the instruction (the last user turn), or of the whole conversation with its two responses.

    Each turn's role counts as a word, and so do each image and the role of the coming answer.
    """
    turns = row.prompt if whole else row.prompt[-1:]
    words = sum(1 + turn.num_images + len(turn.text.split()) for turn in turns) + 1
    answers = [row.chosen, row.rejected] if whole else []
    return words + sum(1 + len(text.split()) for text in answers if text is not None)


def _num_responses(row: PreferenceRow) -> int:
    return sum(text is not None for text in (row.chosen, row.rejected)) + len(row.more_rejected)


def _type_name(row: PreferenceRow) -> str:
    kind = row.entity.type if row.entity else None
    return ENTITY_NAMES.get(kind or "", UNKNOWN_NAME)


def _funnel(data: Path) -> tuple[tuple[str, int], ...]:
    """Return the rows read and the rows left after each stage, from a build's `funnel.json`; () without one."""
    path = data / "funnel.json"
    if not path.is_file():
        return ()
    try:
        stages = [(str(stage["stage"]), int(stage["in"]), int(stage["out"])) for stage in read_json(path)["funnel"]]
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{path} is not what 'blindpo build' writes; build the data again") from error
    return (("source", stages[0][1]), *((name, out) for name, _, out in stages)) if stages else ()


def numbers(data: Profile) -> dict[str, Any]:
    """Return the figures' numbers with the paper's beside them, as JSON."""
    return {one.name: _numbers(one) for one in (data, *PAPER_PROFILES)}


def _numbers(one: Profile) -> dict[str, Any]:
    return {
        "instructions_before_filtering": one.before_filtering,
        "instructions": one.instructions,
        "responses": one.responses,
        "distinct_images": one.distinct_images,
        "tokens_per_instruction": _rounded(one.tokens_per_instruction),
        "tokens_per_conversation": _rounded(one.tokens_per_conversation),
        "share_with_history": _rounded(one.share_with_history, 4),
        "turns": dict(one.turns),
        "entity_types": dict(one.entity_types),
        "categories": {" / ".join(path) or UNKNOWN_NAME: number for path, number in one.categories.items()},
    }


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)


def beside_the_paper(data: Profile) -> list[tuple[str, str, str]]:
    """Return lines of a table: quantity, this data, the paper (train and test together)."""
    paper = PAPER_PROFILES[-1]
    lines: list[tuple[str, float | None, float | None]] = [
        ("instructions before filtering", data.before_filtering, paper.before_filtering),
        ("instructions", data.instructions, paper.instructions),
        ("responses", data.responses, paper.responses),
        ("distinct images", data.distinct_images, paper.distinct_images),
        ("tokens per instruction", _rounded(data.tokens_per_instruction), paper.tokens_per_instruction),
        ("tokens per conversation", _rounded(data.tokens_per_conversation), paper.tokens_per_conversation),
        ("share with history", _rounded(data.share_with_history, 4), paper.share_with_history),
        *((f"turns: {name}", data.turns.get(name, 0), paper.turns[name]) for name in TURNS),
        *((f"entities: {name}", data.entity_types.get(name, 0), paper.entity_types[name]) for name in ENTITIES),
    ]
    return [(name, _words(ours), _words(theirs)) for name, ours, theirs in lines]


def _words(value: float | None) -> str:
    return "-" if value is None else str(value)
