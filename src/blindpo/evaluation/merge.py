"""Parts of one evaluation that several machines made, read as one: every part once, and all of the same evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindpo.answer.response import RESPONSES, json_lines, read_responses
from blindpo.answer.views import SAFE_IMAGES, VIEWS
from blindpo.errors import SourceError
from blindpo.evaluation.eval_folder import ROWS
from blindpo.jobs.folder import differences
from blindpo.jobs.manifest import read_json
from blindpo.rows.shards import read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """All parts as one."""

    identity: dict[str, Any]
    rows: Path
    responses: str
    """The content of responses.jsonl: in the order of the rows, then of the views, as one machine writes it."""
    safe_images: Path | None


def join_parts(parts: Sequence[Path]) -> Joined:
    """Read the parts. Raises SourceError that names the one that does not belong, or what is missing."""
    if not parts:
        raise SourceError("no part was given; give the --out folders of 'blindpo evaluate --part NUMBER/OF'")
    first, *_ = parts
    identities = [(path, _identity(path)) for path in parts]
    leading = identities[0][1]
    numbers: dict[int, Path] = {}
    total = leading["part"][1]
    for path, found in identities:
        number, of = found["part"]
        if {**found, "part": None} != {**leading, "part": None} or of != total:
            differ = differences({**leading, "part": total}, {**found, "part": of})
            raise SourceError(f"{path} is part of another evaluation than {first} (it differs in: {', '.join(differ)})")
        if number in numbers:
            raise SourceError(f"{path} and {numbers[number]} are both part {number}/{of}; give each part once")
        numbers[number] = path
    missing = [str(number) for number in range(1, total + 1) if number not in numbers]
    if missing:
        raise SourceError(f"of {total} parts these are missing: {', '.join(missing)}; give all of them")
    safe = first / SAFE_IMAGES
    return Joined(
        identity=leading,
        rows=first / ROWS,
        responses=_in_order(first / ROWS, parts),
        safe_images=safe if safe.is_dir() else None,
    )


def _identity(path: Path) -> dict[str, Any]:
    manifest = path / "manifest.json"
    found = read_json(manifest)["identity"] if manifest.is_file() else {}
    if not isinstance(found, dict) or "part" not in found:
        raise SourceError(f"{path} is no finished part; give the --out of 'blindpo evaluate --part NUMBER/OF'")
    return found


def _in_order(rows: Path, parts: Sequence[Path]) -> str:
    found = {(each.row_id, each.view): each for path in parts for each in read_responses(path / RESPONSES)}
    order = [(row.row_id, view) for row in read_rows(rows) for view in VIEWS]
    return json_lines(found[key] for key in order if key in found)
