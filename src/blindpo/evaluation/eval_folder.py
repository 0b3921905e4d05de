"""What an EVAL folder holds, read back: rows, responses, verdicts, and the items of every measure.

rows/            the evaluated rows, a data folder      verdicts.jsonl   one verdict per response
responses.jsonl  one response per row and view          measures.json    the measures with their intervals
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blindpo.answer.response import RESPONSES, Response, read_responses
from blindpo.answer.views import SAFE_IMAGES, images_for, read_safe_images
from blindpo.errors import SourceError
from blindpo.evaluation.judges.verdict import VERDICTS, Verdict, read_verdicts
from blindpo.evaluation.measures import RowMeta, measure_items, row_meta
from blindpo.jobs.folder import link_file
from blindpo.jobs.manifest import read_json
from blindpo.jobs.seeds import derive_seed
from blindpo.rows.row import ImageRef, PreferenceRow
from blindpo.rows.shards import read_rows, shard_paths
from blindpo.rows.views import OtherImages
from blindpo.stats.clusters import ItemTable

ROWS: Final = "rows"
MEASURES_FILE: Final = "measures.json"
IMAGES_VERSION: Final = "images_version"
"""Key in the manifest of an evaluation whose responses are from an older version than its verdicts."""
NUM_FIRST: Final = 64
"""Images of the data that version 0.1 chose among."""


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

    @property
    def data(self) -> str:
        """The hash of the evaluated rows."""
        return str(self.manifest["identity"]["data"])

    @property
    def model_name(self) -> str:
        """The name of the model under test."""
        return str(self.manifest["identity"]["model"]["name"])

    def metas(self) -> list[RowMeta]:
        """What measures read of each row."""
        return [row_meta(row) for row in read_rows(self.rows)]

    def images(self) -> OtherImages:
        """The images that the stored responses were made with, in place of the rows' own."""
        return stored_images(self.path, self.responses, version=images_version(self.manifest))

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


def keep_safe_images(folder: str | Path | None, out: Path) -> None:
    """Put the harmless images that an evaluation was given into `out`, so that it can be judged again alone."""
    if folder is not None:
        (out / SAFE_IMAGES).mkdir(exist_ok=True)
        link_files([Path(folder) / str(image.file) for image in read_safe_images(Path(folder))], out / SAFE_IMAGES)


def images_version(manifest: Mapping[str, Any]) -> int:
    """The version whose rule chose the other images that were shown; judging again does not change it."""
    version: int = manifest.get(IMAGES_VERSION, manifest.get("schema_version", 1))
    return version


def stored_images(path: Path, responses: Iterable[Response], *, version: int) -> OtherImages:
    """The images that the stored responses were made with, in place of the rows' own."""
    folder = path / SAFE_IMAGES
    views = sorted({each.view for each in responses})
    images = images_for(path / ROWS, views, folder if folder.is_dir() else None)
    if version > 1:
        return images
    return FirstImages(first=_first_images(path / ROWS) if "swapped" in views else (), safe=images.safe)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstImages(OtherImages):
    """The choice of version 0.1: one of the first images of the data, or of the harmless ones, in all places of a row.

    Evaluations of that version hold responses to what it showed, and a judge must see the same.
    """

    first: tuple[ImageRef, ...] = ()

    def swapped(self, row: PreferenceRow, generator: object) -> tuple[ImageRef, ...]:
        """One image that is none of the row's own, in all places."""
        own = {image.sha256 for image in row.images}
        return self._in_all_places(row, [image for image in self.first if image.sha256 not in own])

    def harmless(self, row: PreferenceRow, generator: object) -> tuple[ImageRef, ...]:
        """One harmless image, in all places."""
        return self._in_all_places(row, self.safe)

    def _in_all_places(self, row: PreferenceRow, images: Sequence[ImageRef]) -> tuple[ImageRef, ...]:
        return (images[derive_seed(0, "swap", row.row_id) % len(images)],) * len(row.images) if images else ()


def _first_images(data: Path) -> tuple[ImageRef, ...]:
    images: dict[str, ImageRef] = {}
    for row in read_rows(data):
        for image in row.images:
            images.setdefault(image.sha256, image)
        if len(images) >= NUM_FIRST:
            break
    return tuple(images.values())[:NUM_FIRST]


def link_files(sources: Iterable[Path], folder: Path) -> None:
    """Put each file into `folder` under its own name."""
    for source in sources:
        link_file(source, folder / source.name)
