"""`blindpo check`: test every row against the named invariants, decode every image, measure exact token lengths.

Nothing is changed. With a model, its own processor counts image tokens; the length of a row is that of its prompt with
its longest response, for which training needs room. Each distinct image is decoded once.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from blindpo.errors import RowError
from blindpo.images.decode import decode_image
from blindpo.jobs.progress import progress
from blindpo.models.vlm.source import ModelSource
from blindpo.rows.checks import Violation, violations
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import count_rows, read_rows

ImageSize = tuple[int, int]
"""Width and height of an image, in pixels."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of one row."""

    row_id: str
    field: str
    invariant: str
    reason: str


@dataclass(slots=True)
class CheckSummary:
    """The counts and all findings of a check."""

    rows: int = 0
    sound: int = 0
    findings: list[Finding] = field(default_factory=list)
    lengths: dict[str, int] = field(default_factory=dict)
    """Token length by row id; empty without a model."""
    limit: int | None = None

    @property
    def over_limit(self) -> list[str]:
        """Ids of the rows longer than the limit."""
        limit = self.limit
        return [] if limit is None else [row_id for row_id, length in self.lengths.items() if length > limit]

    def to_json(self) -> dict[str, Any]:
        """Return everything, for `--json`."""
        return {**asdict(self), "over_limit": self.over_limit}


def check_data(data: Path, *, model: ModelSource | None = None, max_length: int | None = None) -> CheckSummary:
    """Check every row of `data`. Raises SourceError and ModelError."""
    summary = CheckSummary(limit=max_length)
    measure = _measurer(model, summary) if model else None
    seen: Counter[str] = Counter()
    decoded: dict[str, Violation | ImageSize] = {}
    with progress(count_rows(data), "check") as bar:
        for row in read_rows(data):
            broken = [*violations(row), *_images(row, decoded)]
            seen[row.row_id] += 1
            if seen[row.row_id] > 1:
                broken.append(Violation("unique_id", "row_id", "another row has this id"))
            if measure and not broken:
                broken = _measured(row, measure, summary.lengths, decoded)
            summary.rows += 1
            summary.sound += not broken
            summary.findings += [Finding(row.row_id, v.field, v.name, v.reason) for v in broken]
            bar.update(1)
    return summary


def _images(row: PreferenceRow, decoded: dict[str, Violation | ImageSize]) -> list[Violation]:
    """The violations of a row's images; `decoded` keeps the size of each sound image, so none is decoded twice."""
    broken = []
    for image in row.images:
        key = image.sha256
        if key not in decoded:
            try:
                decoded[key] = decode_image(image.data).size
            except RowError as error:
                decoded[key] = Violation("image", "images", error.reason)
        size = decoded[key]
        if isinstance(size, Violation):
            broken.append(size)
    return broken


def _measured(
    row: PreferenceRow, measure: Callable[[PreferenceRow, Sequence[ImageSize]], int], lengths: dict[str, int],
    decoded: Mapping[str, Violation | ImageSize],
) -> list[Violation]:  # fmt: skip
    known = [decoded[image.sha256] for image in row.images]
    try:
        lengths[row.row_id] = measure(row, [size for size in known if not isinstance(size, Violation)])
    except RowError as error:
        return [Violation("tokens", error.field, error.reason)]
    return []


def _measurer(model: ModelSource, summary: CheckSummary) -> Callable[[PreferenceRow, Sequence[ImageSize]], int]:
    """Return a function from a row to its length in tokens; sets the model's own limit if none was given."""
    # The processor is heavy to import and only this path needs it.
    from blindpo.models.vlm.lengths import RowLengths

    lengths = RowLengths(model)
    if summary.limit is None:
        summary.limit = lengths.max_positions
    return lengths
