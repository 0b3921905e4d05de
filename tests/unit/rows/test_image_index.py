"""The images of a data folder: kept or read again, and chosen among."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tests.simple_rows import png, simple

from blindpo.rows.image_index import HELD_BYTES, ImageIndex, StoredImage
from blindpo.rows.row import IMAGE, ImageRef, Turn
from blindpo.rows.shards import write_shard

COLOURS = ("red", "green", "blue", "black", "white", "orange")
IMAGES = [ImageRef(data=png(colour), title=colour) for colour in COLOURS]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two shards; the second one has a row with two images."""
    turn = Turn(role="user", content=(IMAGE, IMAGE, "both?"))
    rows = [simple(f"r{number}", images=(image,)) for number, image in enumerate(IMAGES[:4])]
    write_shard(tmp_path / "rows-00000.parquet", rows)
    last = [simple("again", images=(IMAGES[0],)), simple("two", prompt=(turn,), images=tuple(IMAGES[4:]))]
    write_shard(tmp_path / "rows-00001.parquet", last)
    return tmp_path


@pytest.mark.parametrize("held_bytes", [HELD_BYTES, len(IMAGES[0].data), 0])
def test_every_image_counts_once_whether_it_is_held_or_read_again(data: Path, held_bytes: int) -> None:
    index = ImageIndex.of_folder(data, held_bytes=held_bytes)
    assert len(index) == 6
    chosen = index.choose(6, without=(), generator=np.random.default_rng(1))
    assert {image.data for image in chosen} == {image.data for image in IMAGES}
    in_memory = ImageIndex.of_folder(data).choose(6, without=(), generator=np.random.default_rng(1))
    assert chosen == in_memory and chosen[0].title in COLOURS


def test_what_does_not_fit_is_not_held(data: Path) -> None:
    index = ImageIndex.of_folder(data, held_bytes=len(IMAGES[0].data))
    assert sum(isinstance(image, StoredImage) for image in index._images.values()) == 5


def test_every_other_image_has_the_same_chance_beside_the_row_s_own() -> None:
    index = ImageIndex.of_rows([simple("1", images=(image,)) for image in IMAGES])
    own = {image.sha256 for image in IMAGES[:2]} | {"of no image"}
    counts = Counter(
        index.choose(1, without=own, generator=np.random.default_rng(seed))[0].title for seed in range(4000)
    )
    assert set(counts) == set(COLOURS[2:]) and min(counts.values()) > 900


def test_nothing_is_chosen_where_nothing_is_left() -> None:
    index = ImageIndex.of_rows([simple("1", images=(IMAGES[0],))])
    assert index.choose(2, without={IMAGES[0].sha256}, generator=np.random.default_rng(0)) == ()
