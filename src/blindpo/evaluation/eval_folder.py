"""What an EVAL folder holds, read back: rows, responses, verdicts, and the items of every measure.

rows/            the evaluated rows, a data folder      verdicts.jsonl   one verdict per response
responses.jsonl  one response per row and view          measures.json    the measures with their intervals
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blindpo.answer.response import RESPONSES, Response, read_responses
from blindpo.answer.views import SAFE_IMAGES, Pictures, pictures_for, read_pictures
from blindpo.errors import SourceError
from blindpo.evaluation.judges.verdict import VERDICTS, Verdict, read_verdicts
from blindpo.evaluation.measures import RowMeta, measure_items, row_meta
from blindpo.jobs.folder import link_file
from blindpo.jobs.manifest import read_json
from blindpo.rows.shards import read_rows, shard_paths
from blindpo.stats.clusters import ItemTable

ROWS: Final = "rows"
MEASURES_FILE: Final = "measures.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEval:
    """A finished evaluation."""

    path: Path
    manifest: dict[str, Any]
    results: dict[str, Any]
    """The content of measures.json."""
    responses: list[Response]
    verdicts: list[Verdict]

    @property
    def rows(self) -> Path:
        """The data folder of the evaluated rows."""
        return self.path / ROWS

    def metas(self) -> list[RowMeta]:
        """What measures read of each row."""
        return [row_meta(row) for row in read_rows(self.rows)]

    def items(self) -> dict[str, ItemTable]:
        """The items of every measure; without verdicts where the judge could not be asked about all responses."""
        verdicts = [] if self.results.get("not_asked") else self.verdicts
        return measure_items(self.metas(), self.responses, verdicts)


def is_eval(path: Path) -> bool:
    """Whether `path` is the folder of a finished evaluation."""
    return (path / "manifest.json").is_file() and (path / MEASURES_FILE).is_file() and (path / RESPONSES).is_file()


def load_eval(path: Path) -> StoredEval:
    """A finished evaluation. Raises SourceError where `path` is none."""
    if not is_eval(path):
        raise SourceError(f"{path} is no finished evaluation; give the --out of 'blindpo evaluate' once it is done")
    return StoredEval(
        path=path,
        manifest=read_json(path / "manifest.json"),
        results=read_json(path / MEASURES_FILE),
        responses=read_responses(path / RESPONSES),
        verdicts=read_verdicts(path / VERDICTS),
    )


def link_rows(data: Path, rows: Path) -> None:
    """Make `rows` a data folder with the shards of `data`: by hard link, since shards are only ever replaced whole."""
    rows.mkdir(exist_ok=True)
    link_files(shard_paths(data), rows)


def keep_pictures(folder: str | Path | None, out: Path) -> None:
    """Put the harmless pictures that an evaluation was given into `out`, so that it can be judged again alone."""
    if folder is not None:
        (out / SAFE_IMAGES).mkdir(exist_ok=True)
        link_files([Path(folder) / str(image.file) for image in read_pictures(Path(folder))], out / SAFE_IMAGES)


def stored_pictures(path: Path, responses: Iterable[Response]) -> Pictures:
    """The pictures that the stored responses were made with."""
    safe = path / SAFE_IMAGES
    return pictures_for(path / ROWS, sorted({each.view for each in responses}), safe if safe.is_dir() else None)


def link_files(sources: Iterable[Path], folder: Path) -> None:
    """Put each file into `folder` under its own name."""
    for source in sources:
        link_file(source, folder / source.name)
