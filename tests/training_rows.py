"""Small preference rows with drawn images, and a run of `train` on them: what every test of training uses."""

import io
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import IMAGE, BlindResponse, ImageRef, PreferenceRow, Provenance, Turn
from blindpo.rows.shards import write_shard
from blindpo.training.config import TrainConfig
from blindpo.training.run import TrainSummary, train

COLOURS = ("red", "green", "blue", "white", "black", "orange", "purple", "grey")


def drawn_image(colour: str) -> ImageRef:
    sink = io.BytesIO()
    Image.new("RGB", (24, 24), colour).save(sink, format="PNG")
    return ImageRef(data=sink.getvalue(), file=f"{colour}.png")


def blind(text: str, *, cut: bool = False) -> BlindResponse:
    return BlindResponse(text=text, cut=cut, model="test", temperature=1.0, max_new_tokens=8, seed=1)


def row(number: int, **changes: Any) -> PreferenceRow:
    colour = COLOURS[number % len(COLOURS)]
    content: dict[str, Any] = {
        "row_id": f"row-{number}",
        "prompt": (Turn(role="user", content=(IMAGE, f"what is {number}?")),),
        "images": (drawn_image(colour),),
        "chosen": f"a {colour} ball ",
        "rejected": f"no {number}",
        "blind": (blind(f"a ball {number % 3}"),),
        "provenance": Provenance(source="test", source_row_id=str(number), dialogue_id=str(number)),
    }
    return PreferenceRow(**{**content, **changes})


def write_rows(folder: Path, rows: Sequence[PreferenceRow]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_shard(folder / "rows-00000.parquet", rows)
    return folder


def run_training(base: Path, data: Path, out: Path, *, config: Any = None, **options: Any) -> TrainSummary:
    arguments = {
        "learning_rate": 1e-3,
        "lr_scheduler_type": "linear",
        "warmup_steps": 0,
        "max_steps": 3,
        "per_device_train_batch_size": 2,
        "save_strategy": "no",
        "use_cpu": True,
        "disable_tqdm": True,
    }
    eval_data = options.pop("eval_data", None)
    return train(
        TrainConfig(**(config or {})),
        {**arguments, **options},
        data=data,
        model=resolve_model(base),
        out=out,
        eval_data=eval_data,
    )


def left(out: Path) -> dict[str, str]:
    """The hash of each file that two runs must have alike."""
    names = ("metrics.jsonl", "rejects.jsonl", "run.json", "manifest.json", "tokenizer.json", "chat_template.jinja")
    files = [*(out / name for name in names), *out.glob("*.safetensors")]
    found = {file.name: sha256(file.read_bytes()).hexdigest() for file in files}
    checkpoints = sorted(path.name for path in out.glob("checkpoint-*"))
    return {**found, "checkpoints": " ".join(checkpoints)}
