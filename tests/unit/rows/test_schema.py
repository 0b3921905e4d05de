"""A row is saved and read back as it was, whatever it holds, and Hugging Face datasets reads the same file."""

from pathlib import Path

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.simple_rows import png, simple

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
from blindpo.rows.schema import from_record, to_record
from blindpo.rows.shards import count_rows, data_hash, read_rows, shard_name, write_shard
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
