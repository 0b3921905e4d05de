"""The check before the first step: what passes, what falls back and says so, what it costs in half precision."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tiny_models import save_tiny_llava
from tests.training_rows import drawn_image, row, run_training, write_rows

import blindpo.training.preflight.packing_check as selfcheck
import blindpo.training.run
from blindpo.errors import ConfigError, ModelError, NothingKeptError
from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import IMAGE, Turn
from blindpo.training.arguments import make_arguments
from blindpo.training.config import TrainConfig
from blindpo.training.examples import ImageTensors, make_example
from blindpo.training.packing.families import Family
from blindpo.training.preflight.packing_check import PathChoice, choose_path


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "base")


def rows() -> list[Any]:
    two = (Turn(role="user", content=(IMAGE, "this or", IMAGE)),)
    text = (Turn(role="user", content=("no picture",)),)
    return [
        row(0),
        row(1, prompt=text, images=()),
        row(2, prompt=two, images=(drawn_image("red"), drawn_image("blue"))),
    ]


def choose(base: Path, tmp_path: Path, *, dtype: str = "float32", bf16: bool = False, **config: Any) -> PathChoice:
    vlm: Vlm = load_vlm(resolve_model(base), device="cpu", dtype=dtype)
    images = ImageTensors(vlm.processor)
    examples = [make_example(each, images, use_blind=True, max_length=None) for each in rows()]
    settings = make_arguments({"use_cpu": True, "bf16": bf16}, tmp_path / "out", has_eval=False)
    before = {name: value.clone() for name, value in vlm.model.state_dict().items()}
    made = choose_path(TrainConfig(**config), vlm.model, examples, images=images, pad_id=vlm.pad_id, settings=settings)
    after = vlm.model.state_dict()
    assert before.keys() == after.keys()  # a tried adapter is gone
    assert all(torch.equal(before[name], after[name]) and before[name].dtype == after[name].dtype for name in after)
    return made


@pytest.mark.parametrize("config", [{}, {"lora": True, "lora_r": 4}])
def test_each_kind_of_row_is_checked(config: Any, base: Path, tmp_path: Path) -> None:
    made = choose(base, tmp_path, **config)
    assert made.family is not None and made.record["path"] == "packed"
    assert set(made.checked) == {"text-only", "one image", "several images"}
    assert max(made.checked.values()) < 1e-4


def test_the_check_of_an_adapter_depends_on_no_earlier_draw_and_leaves_none_behind(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[torch.Tensor] = []
    real = selfcheck._difference

    def spy(model: Any, *args: Any, **kwargs: Any) -> float:
        first.append(next(weight for name, weight in model.named_parameters() if "lora_A" in name).clone())
        return real(model, *args, **kwargs)

    monkeypatch.setattr(selfcheck, "_difference", spy)
    for seed in (1, 2):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        choose(base, tmp_path, lora=True, lora_r=4)
        assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(weight, first[0]) for weight in first)


@pytest.mark.parametrize("half", [{"bf16": True}, {"dtype": "bfloat16", "lora": True}])
def test_half_precision_is_held_against_its_own_cost(half: Any, base: Path, tmp_path: Path) -> None:
    made = choose(base, tmp_path, **half)
    assert made.family is not None
    assert max(made.checked.values()) > selfcheck.TOLERANCE_NATS  # float32's measure would have refused it


def test_a_fault_takes_separate_sequences_and_says_so(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(selfcheck, "family_of", lambda model: Family(layer_kinds=("sliding_attention",), window=4))
    data = write_rows(tmp_path / "data", rows())
    run_training(base, data, tmp_path / "run", max_steps=1)
    said = capfd.readouterr().err
    assert "ATTENTION: rows are NOT packed" in said and "of separate sequences" in said
    record = json.loads((tmp_path / "run/run.json").read_text())["packing"]
    assert record["path"] == "separate" and record["asked"] == "auto" and "nats" in record["reason"]
    with pytest.raises(ModelError, match="packing=on"):
        run_training(base, data, tmp_path / "on", config={"packing": "on"}, max_steps=1)


def test_a_model_that_takes_no_such_mask_is_no_crash(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = ("sliding_attention", "full_attention")  # Llama's layers take one mask, not one of each kind
    monkeypatch.setattr(selfcheck, "family_of", lambda model: Family(layer_kinds=kinds, window=4096))
    made = choose(base, tmp_path)
    assert made.family is None and "fails in the model" in made.reason


def test_rows_longer_than_a_window_that_cannot_be_given_are_not_packed(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = Family(layer_kinds=("sliding_attention", "full_attention"), window=16, one_mask=True)
    monkeypatch.setattr(selfcheck, "family_of", lambda model: family)
    assert "longer than the model's attention window of 16" in choose(base, tmp_path).reason


def test_off_checks_nothing(base: Path, tmp_path: Path) -> None:
    assert choose(base, tmp_path, packing="off").record == {
        "asked": "off", "path": "separate", "reason": "packing=off", "largest_difference_nats": {},
    }  # fmt: skip


def test_packed_and_separate_training_are_the_same_run(base: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data", [*rows(), row(3, more_rejected=("never",), blind=())])
    found = {}
    for packing in ("on", "off"):
        run_training(base, data, tmp_path / packing, config={"packing": packing}, max_steps=6)
        lines = (tmp_path / packing / "metrics.jsonl").read_text().splitlines()
        found[packing] = [json.loads(line) for line in lines]
    for one, other in zip(found["on"], found["off"], strict=True):
        assert one == pytest.approx(other, rel=2e-4, abs=2e-5)


def test_a_budget_that_keeps_no_evaluation_row_names_their_path(base: Path, tmp_path: Path) -> None:
    data, long = write_rows(tmp_path / "data", [row(0)]), write_rows(tmp_path / "long", [row(1, chosen="why " * 40)])
    with pytest.raises(NothingKeptError, match=r"no row of .*/long can be used to eval"):
        run_training(base, data, tmp_path / "run", config={"tokens_per_batch": 120}, eval_data=long, max_steps=1)


def test_targets_that_the_model_has_not_are_named_before_rows_are_read(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blindpo.training.run, "load_examples", None)
    data = write_rows(tmp_path / "data", [row(0)])
    with pytest.raises(ConfigError, match=r"lora_targets q_prj: .*give some of: .*down_proj.*q_proj"):
        run_training(base, data, tmp_path / "run", config={"lora": True, "lora_targets": ("q_prj",)}, max_steps=1)


def test_a_row_longer_than_the_budget_is_forecast_and_rejected(base: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data", [row(0), row(1, more_rejected=("why " * 40,))])
    summary = run_training(base, data, tmp_path / "run", config={"tokens_per_batch": 120}, max_steps=1)
    assert summary.counts["rejected"] == 1
    reason = json.loads((tmp_path / "run/rejects.jsonl").read_text())["reason"]
    assert "tokens packed (prompt and images " in reason and reason.endswith("tokens_per_batch allows 120")


def test_workers_that_make_batches_ahead_change_nothing(base: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data", rows())
    for workers in (0, 1):
        options = {"dataloader_num_workers": workers, "gradient_accumulation_steps": 2, "max_steps": 2}
        run_training(base, data, tmp_path / str(workers), per_device_train_batch_size=1, **options)
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes()
