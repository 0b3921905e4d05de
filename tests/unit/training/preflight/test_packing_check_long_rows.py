"""Rows long enough for attention in two parts and for windows: checked, trained, saved and read back."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tiny_families import build
from tests.tiny_models import save_tiny_llava
from tests.training_rows import row, run_training, write_rows

import blindpo.models.vlm.attention as attention
import blindpo.training.output.save as saving
import blindpo.training.preflight.packing_check as selfcheck
import blindpo.training.run
from blindpo.models.vlm.prompt import PromptInputs
from blindpo.rows.row import IMAGE, PreferenceRow, Provenance, Turn
from blindpo.training.arguments import make_arguments
from blindpo.training.config import TrainConfig
from blindpo.training.examples import Example, ImageTensors
from blindpo.training.preflight.packing_check import choose_path, extremes_of_each_kind


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "base")


def long(number: int) -> Any:
    """A row with a prompt of more tokens than `LEAST_CAUSAL`."""
    words = f"what is {number}? " + "some words " * 22
    turn = Turn(role="user", content=(IMAGE, words))
    return row(number, prompt=(turn,), chosen="a ball " * 8, rejected="no ball " * 8)


@pytest.fixture
def splits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Filled with the queries that were computed without a mask, in the check and after it."""
    seen: list[tuple[str, int]] = []
    phase = ["check"]
    real, choose = attention.sdpa_attention_forward, choose_path

    def spy(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> Any:
        if mask is None and options.get("is_causal"):
            seen.append((phase[0], query.shape[2]))
        return real(module, query, key, value, mask, **options)

    def chosen(*args: Any, **kwargs: Any) -> Any:
        found = choose(*args, **kwargs)
        phase[0] = "after"
        return found

    monkeypatch.setattr(attention, "sdpa_attention_forward", spy)
    monkeypatch.setattr(blindpo.training.run, "choose_path", chosen)
    return seen


def test_what_training_splits_was_split_in_the_check_and_is_never_saved(
    base: Path, tmp_path: Path, splits: list[tuple[str, int]]
) -> None:
    data = write_rows(tmp_path / "data", [row(0), long(1)])  # the shortest row does not split
    run_training(base, data, tmp_path / "run", max_steps=1, per_device_train_batch_size=1)
    checked, used = ({tokens for phase, tokens in splits if phase == name} for name in ("check", "after"))
    assert used and used <= checked and min(used) >= attention.LEAST_CAUSAL
    assert attention.SPLIT not in (tmp_path / "run/config.json").read_text()


def test_a_model_that_cannot_be_split_is_packed_without(
    base: Path, tmp_path: Path, splits: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    use = selfcheck.use_attention

    def broken(model: Any, name: str) -> None:
        use(model, "no such attention" if name == selfcheck.SPLIT else name)

    monkeypatch.setattr(selfcheck, "use_attention", broken)
    data = write_rows(tmp_path / "data", [long(0)])
    assert run_training(base, data, tmp_path / "run", max_steps=1).packed
    assert not splits


@pytest.mark.parametrize("half", [{"lora": True, "lora_r": 4, "dtype": "bfloat16"}, {}])
def test_a_half_precision_run_on_long_rows_is_saved_and_read_back(
    half: Any, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        saving, "RELOAD_NATS", dict.fromkeys(saving.RELOAD_NATS, 0.0)
    )  # the same attention: no rounding
    data = write_rows(tmp_path / "data", [long(n) for n in range(2)])
    run_training(base, data, tmp_path / "run", config=half, max_steps=2, bf16=True)
    assert json.loads((tmp_path / "run/run.json").read_text())["packing"]["path"] == "packed"
    assert (tmp_path / "run/manifest.json").is_file()


class NoImages(ImageTensors):
    """Prompts made by hand, without a processor."""

    def __init__(self) -> None:
        pass

    def whole_prompt(self, example: Example) -> PromptInputs:
        return example.prompt


def made(number: int, *, prompt: int, response: int) -> Example:
    generator = torch.Generator().manual_seed(number)
    ids = [torch.randint(5, 60, (size,), generator=generator) for size in (prompt, response, response)]
    source = Provenance(source="test", source_row_id=str(number), dialogue_id=str(number))
    return Example(
        row=PreferenceRow(row_id=str(number), prompt=(), provenance=source), prompt=PromptInputs(ids[0], {}),
        image_key=(), chosen=tuple(ids[1].tolist()), rejected=(tuple(ids[2].tolist()),), blind=(),
    )  # fmt: skip


def test_a_window_that_is_lost_shows_in_the_longest_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build("LLaVA (Mistral, window 8)")
    real = selfcheck.family_of

    def without_window(model: Any) -> Any:
        return dataclasses.replace(real(model), layer_kinds=("full_attention",), window=None)

    monkeypatch.setattr(selfcheck, "family_of", without_window)
    settings = make_arguments({"use_cpu": True}, tmp_path / "out", has_eval=False)
    examples = [made(0, prompt=3, response=3), made(1, prompt=20, response=10)]
    options: Any = {"images": NoImages(), "pad_id": 0, "settings": settings}
    assert choose_path(TrainConfig(), model, examples[:1], **options).family is not None  # shorter than the window
    assert "nats a token" in choose_path(TrainConfig(), model, examples, **options).reason


def test_the_extremes_of_each_kind_are_its_own() -> None:
    rows = [made(n, prompt=prompt, response=size) for n, (prompt, size) in enumerate([(9, 2), (3, 3), (8, 9), (5, 4)])]
    assert [each.row.row_id for each in extremes_of_each_kind(rows)] == ["1", "2", "0"]
    assert len(extremes_of_each_kind(rows[:1])) == 1


def test_half_precision_weights_are_held_against_float32_even_under_autocast(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = selfcheck._token_logps, set()

    def spy(collator: Any, model: Any, example: Any) -> Any:
        if not torch.is_autocast_enabled("cpu"):
            seen.update(parameter.dtype for parameter in model.parameters())
        return real(collator, model, example)

    monkeypatch.setattr(selfcheck, "_token_logps", spy)
    config = {"lora": True, "lora_r": 4, "dtype": "bfloat16"}
    run_training(base, write_rows(tmp_path / "data", [row(0)]), tmp_path / "run", config=config, max_steps=1, bf16=True)
    assert seen == {torch.float32}
