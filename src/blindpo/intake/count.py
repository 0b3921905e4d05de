"""`blindpo stats`: count what a data folder holds, in one pass and without decoding images."""

from collections import Counter
from pathlib import Path
from typing import Any

from blindpo.rows.shards import read_rows


def count(data: Path) -> dict[str, Any]:
    """Count rows, responses, images, turns, entity types and labels; words are split at white space."""
    totals: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = {name: Counter() for name in ("turns", "entity_type", "label", "blind_mode")}
    images: set[str] = set()
    dialogues: set[str] = set()
    for row in read_rows(data):
        users = sum(turn.role == "user" for turn in row.prompt)
        pair = row.chosen is not None and row.rejected is not None
        totals.update(rows=1, with_history=int(users > 1), with_pair=int(pair))
        totals.update(responses=sum(text is not None for text in (row.chosen, row.rejected)) + len(row.more_rejected))
        totals.update(blind_responses=len(row.blind), rows_without_blind=int(not row.blind))
        totals.update(text_only=int(not row.images))
        totals.update(instruction_words=len(row.prompt[-1].text.split()), paired=int(row.pair_id is not None))
        totals.update(words=sum(len(turn.text.split()) for turn in row.prompt))
        kinds["turns"][str(users)] += 1
        kinds["label"][row.label] += 1
        kinds["entity_type"][row.entity.type or "unknown" if row.entity else "none"] += 1
        kinds["blind_mode"].update(answer.view for answer in row.blind)
        images.update(image.sha256 for image in row.images)
        dialogues.add(row.provenance.dialogue_id)
    rows = totals["rows"] or 1
    return {
        **dict(totals),
        "distinct_images": len(images),
        "dialogues": len(dialogues),
        "words_per_instruction": round(totals["instruction_words"] / rows, 2),
        "words_per_prompt": round(totals["words"] / rows, 2),
        "share_with_history": round(totals["with_history"] / rows, 4),
        **{name: dict(sorted(counter.items(), key=_natural)) for name, counter in kinds.items()},
    }


def _natural(item: tuple[str, int]) -> tuple[int, str]:
    """Sort key: numbers by size (2 before 11), names alphabetically."""
    return (len(item[0]) if item[0].isdigit() else 0, item[0])
