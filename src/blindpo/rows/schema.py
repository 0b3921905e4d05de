"""The Parquet schema of a row: TRL's vision-preference columns, the rest beside them, lossless both ways.

The Hugging Face feature metadata is written with the schema, so that `datasets.load_dataset("parquet", ...)` gives
`images` as decodable images (https://huggingface.co/docs/trl/dataset_formats). Image provenance has a column of its
own, parallel to `images`, since the Image feature holds only bytes and a path.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import pyarrow as pa

from blindpo.rows.row import IMAGE, BlindResponse, Entity, ImageRef, Part, PreferenceRow, Provenance, Turn
from blindpo.rows.view_names import current_view

Record = dict[str, Any]

_PART: Final = pa.struct([("type", pa.string()), ("text", pa.string())])
_TURN: Final = pa.struct([("role", pa.string()), ("content", pa.list_(_PART))])
_TURNS: Final = pa.list_(_TURN)
_IMAGE: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_IMAGE_PROVENANCE: Final = pa.struct([(name, pa.string()) for name in ("title", "page", "licence", "author")])
_ENTITY: Final = pa.struct([(name, pa.string()) for name in ("text", "type", "replacement")])
_BLIND: Final = pa.struct(
    [
        ("text", pa.string()),
        ("cut", pa.bool_()),
        ("view", pa.string()),
        ("model", pa.string()),
        ("revision", pa.string()),
        ("temperature", pa.float64()),
        ("top_p", pa.float64()),
        ("top_k", pa.int64()),
        ("max_new_tokens", pa.int64()),
        ("seed", pa.int64()),
        ("draw", pa.int64()),
    ]
)
_PROVENANCE: Final = pa.struct([(name, pa.string()) for name in ("source", "source_row_id", "dialogue_id", "split")])
_COLUMNS: Final = [
    ("row_id", pa.string()),
    ("images", pa.list_(_IMAGE)),
    ("prompt", _TURNS),
    ("chosen", _TURNS),
    ("rejected", _TURNS),
    ("more_rejected", pa.list_(pa.string())),
    ("blind", pa.list_(_BLIND)),
    ("text_prompt", _TURNS),
    ("entity", _ENTITY),
    ("categories", pa.list_(pa.string())),
    ("label", pa.string()),
    ("pair_id", pa.string()),
    ("truth", pa.string()),
    ("image_provenance", pa.list_(_IMAGE_PROVENANCE)),
    ("provenance", _PROVENANCE),
    ("extra", pa.string()),
]


def _feature(kind: pa.DataType) -> Any:
    """Return the Hugging Face feature of an Arrow type, in the JSON form that `datasets` reads."""
    if kind == _IMAGE:
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}


_HUGGINGFACE: Final = json.dumps({"info": {"features": {name: _feature(kind) for name, kind in _COLUMNS}}})
SCHEMA: Final = pa.schema(_COLUMNS, metadata={"huggingface": _HUGGINGFACE})
SCHEMA_VERSION: Final = 2
"""Version of the folders' contents, recorded in their manifests. 1 is version 0.1, whose manifests do not name it: its
blind responses have a `mode` instead of a `view`, and its views other names (`view_names.OLD_VIEWS`). Both are read."""
_OLD_BLIND: Final = pa.struct([pa.field("mode", each.type) if each.name == "view" else each for each in _BLIND])


def schema_like(written: pa.Schema) -> pa.Schema:
    """Return `SCHEMA` for a file with the schema `written`: with version 1's blind responses if it holds those."""
    kind = written.field("blind").type
    is_old = (
        pa.types.is_list(kind) and pa.types.is_struct(kind.value_type) and kind.value_type.get_field_index("mode") >= 0
    )
    column = SCHEMA.get_field_index("blind")
    return SCHEMA.set(column, pa.field("blind", pa.list_(_OLD_BLIND))) if is_old else SCHEMA


def to_record(row: PreferenceRow) -> Record:
    """Return one row as the plain values that `SCHEMA` takes."""
    return {
        "row_id": row.row_id,
        "images": [{"bytes": image.data, "path": image.file} for image in row.images],
        "prompt": [_turn_out(turn) for turn in row.prompt],
        "chosen": _response_out(row.chosen),
        "rejected": _response_out(row.rejected),
        "more_rejected": list(row.more_rejected),
        "blind": [asdict(answer) for answer in row.blind],
        "text_prompt": None if row.text_prompt is None else [_turn_out(turn) for turn in row.text_prompt],
        "entity": None if row.entity is None else asdict(row.entity),
        "categories": list(row.categories),
        "label": row.label,
        "pair_id": row.pair_id,
        "truth": row.truth,
        "image_provenance": [
            {"title": i.title, "page": i.page, "licence": i.licence, "author": i.author} for i in row.images
        ],
        "provenance": asdict(row.provenance),
        "extra": row.extra,
    }


def from_record(record: Mapping[str, Any]) -> PreferenceRow:
    """Return the row of one record; `from_record(to_record(row)) == row`."""
    texts = record["text_prompt"]
    return PreferenceRow(
        row_id=record["row_id"],
        prompt=_turns_in(record["prompt"]),
        images=tuple(
            ImageRef(data=image["bytes"], file=image["path"], **known)
            for image, known in zip(record["images"], record["image_provenance"], strict=True)
        ),
        chosen=_response_in(record["chosen"]),
        rejected=_response_in(record["rejected"]),
        more_rejected=tuple(record["more_rejected"]),
        blind=tuple(map(_blind_in, record["blind"])),
        text_prompt=None if texts is None else _turns_in(texts),
        entity=None if record["entity"] is None else Entity(**record["entity"]),
        categories=tuple(record["categories"]),
        label=record["label"],
        pair_id=record["pair_id"],
        truth=record["truth"],
        provenance=Provenance(**record["provenance"]),
        extra=record["extra"],
    )


def _part_out(part: Part) -> Record:
    return {"type": "image", "text": None} if part is IMAGE else {"type": "text", "text": part}


def _turn_out(turn: Turn) -> Record:
    return {"role": turn.role, "content": [_part_out(part) for part in turn.content]}


def _turns_in(records: Sequence[Mapping[str, Any]]) -> tuple[Turn, ...]:
    return tuple(
        Turn(role=turn["role"], content=tuple(IMAGE if p["type"] == "image" else p["text"] for p in turn["content"]))
        for turn in records
    )


def _blind_in(record: Mapping[str, Any]) -> BlindResponse:
    """A blind response; one of version 1 has a `mode` with an old name."""
    fields = dict(record)
    named = fields.pop("mode") if "mode" in fields else fields["view"]
    return BlindResponse(**{**fields, "view": current_view(named)})


def _response_out(text: str | None) -> list[Record] | None:
    return None if text is None else [_turn_out(Turn(role="assistant", content=(text,)))]


def _response_in(turns: Sequence[Mapping[str, Any]] | None) -> str | None:
    return None if turns is None else _turns_in(turns)[0].text
