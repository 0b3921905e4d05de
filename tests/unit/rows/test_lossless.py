"""A row is saved and read back as it was, whatever it holds, and Hugging Face datasets reads the same file."""

import string
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simple_rows import png, simple

from blindpo.errors import SourceError
from blindpo.rows.row import (
    IMAGE,
    LABELS,
    BlindResponse,
    Entity,
    ImageRef,
    PreferenceRow,
    Provenance,
    Turn,
)
from blindpo.rows.schema import SCHEMA, from_record, to_record
from blindpo.rows.shards import count_rows, data_hash, read_rows, shard_name, shard_paths, write_shard
from blindpo.rows.view_names import BLIND_VIEWS

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
maybe = st.none() | text
turn = st.builds(
    Turn,
    role=st.sampled_from(["system", "user", "assistant"]),
    content=st.lists(text | st.just(IMAGE), max_size=4).map(tuple),
)
turns = st.lists(turn, max_size=3).map(tuple)
image = st.builds(
    ImageRef, data=st.binary(max_size=8), file=maybe, title=maybe, page=maybe, licence=maybe, author=maybe
)
whole = st.integers(-(2**62), 2**62)
blind = st.builds(
    BlindResponse,
    text=text,
    cut=st.booleans(),
    view=st.sampled_from(BLIND_VIEWS),
    model=text,
    revision=maybe,
    temperature=st.floats(0, 2),
    top_p=st.floats(0, 1),
    top_k=whole,
    max_new_tokens=whole,
    seed=whole,
    draw=whole,
)
row = st.builds(
    PreferenceRow,
    row_id=text,
    prompt=turns,
    images=st.lists(image, max_size=2).map(tuple),
    chosen=maybe,
    rejected=maybe,
    more_rejected=st.lists(text, max_size=2).map(tuple),
    blind=st.lists(blind, max_size=2).map(tuple),
    text_prompt=st.none() | turns,
    entity=st.none() | st.builds(Entity, text=text, type=maybe, replacement=maybe),
    categories=st.lists(text, max_size=2).map(tuple),
    label=st.sampled_from(LABELS),
    pair_id=maybe,
    truth=maybe,
    provenance=st.builds(Provenance, source=text, source_row_id=text, dialogue_id=text, split=maybe),
    extra=maybe,
)


@given(row)
def test_a_record_gives_the_row_back(made: PreferenceRow) -> None:
    assert from_record(to_record(made)) == made


@given(st.lists(row, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_parquet_gives_the_rows_back_and_the_same_bytes(tmp_path_factory: pytest.TempPathFactory, made: list) -> None:
    folders = [tmp_path_factory.mktemp("data") for _ in range(2)]
    for folder in folders:
        assert write_shard(folder / shard_name(0), made) == len(made)
    assert list(read_rows(folders[0])) == made
    assert count_rows(folders[0]) == len(made)
    assert data_hash(folders[0]) == data_hash(folders[1])


def test_datasets_reads_trl_columns_with_decodable_images(tmp_path: Path) -> None:
    rows = [simple("1"), simple("2", images=(ImageRef(data=png("blue")),), rejected=None, chosen=None)]
    write_shard(tmp_path / shard_name(0), rows)
    found = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "*.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert found[0]["images"][0].size == (4, 3)
    assert found[0]["prompt"][0]["content"][0]["type"] == "image"
    assert found[0]["chosen"] == [{"role": "assistant", "content": [{"type": "text", "text": "a red card "}]}]
    assert found[1]["rejected"] is None


def test_row_groups_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blindpo.rows.shards.ROW_GROUP_BYTES", 300)
    rows = [simple(letter) for letter in string.ascii_lowercase[:5]]
    write_shard(tmp_path / shard_name(0), rows)
    assert pq.read_metadata(tmp_path / shard_name(0)).num_row_groups == 5
    assert list(read_rows(tmp_path)) == rows


def test_a_folder_that_holds_no_rows_is_a_source_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a folder"):
        shard_paths(tmp_path / "missing")
    with pytest.raises(SourceError, match=r"no rows-\*\.parquet"):
        shard_paths(tmp_path)
    (tmp_path / shard_name(0)).write_bytes(b"not parquet at all")
    with pytest.raises(SourceError, match="not a readable Parquet"):
        list(read_rows(tmp_path))


def test_a_parquet_file_without_our_columns_is_a_source_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"row_id": ["1"]}), tmp_path / shard_name(0))
    with pytest.raises(SourceError, match="lacks the columns"):
        list(read_rows(tmp_path))


def test_long_texts_count_towards_a_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blindpo.rows.shards.ROW_GROUP_BYTES", 5000)
    write_shard(tmp_path / shard_name(0), [simple(str(number), extra="x" * 3000) for number in range(3)])
    assert pq.read_metadata(tmp_path / shard_name(0)).num_row_groups == 3


def test_an_empty_shard_has_no_rows(tmp_path: Path) -> None:
    assert write_shard(tmp_path / shard_name(0), []) == 0
    assert list(read_rows(tmp_path)) == [] and count_rows(tmp_path) == 0


def test_another_writer_s_wider_types_are_read(tmp_path: Path) -> None:
    write_shard(tmp_path / shard_name(0), [simple("1")])
    table = pq.read_table(tmp_path / shard_name(0))
    wide = table.set_column(0, "row_id", table["row_id"].cast(pa.large_string()))
    pq.write_table(wide.append_column("note", pa.array(["kept by another tool"])), tmp_path / shard_name(0))
    assert list(read_rows(tmp_path)) == [simple("1")]


def test_columns_of_a_wrong_type_or_null_are_a_source_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({name: [1] for name in SCHEMA.names}), tmp_path / shard_name(0))
    with pytest.raises(SourceError, match="not a readable Parquet file of rows"):
        list(read_rows(tmp_path))
    record = {**to_record(simple("r9")), "prompt": None}
    pq.write_table(pa.Table.from_pylist([record], schema=SCHEMA), tmp_path / shard_name(0))
    with pytest.raises(SourceError, match="row 'r9' is null"):
        list(read_rows(tmp_path))


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_cut_file_is_a_source_error(tmp_path: Path, place: float) -> None:
    path = tmp_path / shard_name(0)
    write_shard(path, [simple("1")])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * place)])
    for read in (count_rows, lambda folder: list(read_rows(folder))):
        with pytest.raises(SourceError, match=r"rows-00000\.parquet is not a readable"):
            read(tmp_path)


def test_an_unfinished_folder_is_not_read_as_if_it_were_whole(tmp_path: Path) -> None:
    write_shard(tmp_path / shard_name(0), [simple("1")])
    (tmp_path / ".work").mkdir()
    (tmp_path / ".work" / "run.json").write_text("{}")
    with pytest.raises(SourceError, match="run that command again"):
        shard_paths(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    assert len(shard_paths(tmp_path)) == 1
