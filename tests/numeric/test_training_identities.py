"""What must come out the same by different ways: micro-batches, references, terms, precision."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.training_losses import graded, metrics, moved_reference, same_metrics
from tests.training_rows import blind, row, run_training, write_rows

import blindpo.training.run
from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.training.examples import ImageTensors, make_example


def test_a_blind_response_that_is_the_chosen_one_but_for_outer_blanks_gives_dpos_gradient(base: Path) -> None:
    rows = [row(n, blind=(blind(f"\n {row(n).chosen}  "),)) for n in range(3)]
    reference = moved_reference(base)
    bpo, dpo = (graded(base, rows, method=method, reference=reference) for method in ("bpo", "dpo"))
    largest = max(float(gradient.abs().max()) for gradient in dpo.gradients.values())
    for name, gradient in dpo.gradients.items():
        assert torch.allclose(bpo.gradients[name], gradient, rtol=1e-5, atol=1e-6 * largest), name


def test_a_cut_response_has_no_end_of_turn_and_so_tells_apart(base: Path) -> None:
    processor = load_vlm(resolve_model(base), device="cpu").processor
    whole = make_example(row(0, blind=(blind("a"),)), ImageTensors(processor), use_blind=True, max_length=None)
    cut = make_example(row(0, blind=(blind("a", cut=True),)), ImageTensors(processor), use_blind=True, max_length=None)
    assert whole.blind[0] == (*cut.blind[0], processor.tokenizer.eos_token_id)


def test_dpo_is_bpo_on_rows_without_blind_responses(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blindpo.training.run, "require_blind", lambda *_: None)  # a user is refused
    with_blind = write_rows(tmp_path / "with", [row(n) for n in range(4)])
    without = write_rows(tmp_path / "without", [row(n, blind=()) for n in range(4)])
    run_training(base, with_blind, tmp_path / "dpo", config={"method": "dpo"})
    summary = run_training(base, without, tmp_path / "bpo", config={"method": "bpo"})
    assert summary.counts["without_blind"] == 4
    assert (tmp_path / "dpo/model.safetensors").read_bytes() == (tmp_path / "bpo/model.safetensors").read_bytes()
    assert (tmp_path / "dpo/metrics.jsonl").read_bytes() == (tmp_path / "bpo/metrics.jsonl").read_bytes()
    assert "rewards/blind" not in summary.final


def test_a_step_is_the_same_however_it_is_cut(base: Path, tmp_path: Path) -> None:
    # 11 rows by 4: the last step of an epoch has 3, cut into 3 + 0, 2 + 1 and 1 + 1 + 1; rows without a blind one too
    rows = [row(n, blind=() if n % 3 == 0 else row(n).blind) for n in range(11)]
    data = write_rows(tmp_path / "data", rows)
    for size in (4, 2, 1):
        options = {"per_device_train_batch_size": size, "gradient_accumulation_steps": 4 // size}
        run_training(base, data, tmp_path / str(size), max_steps=4, learning_rate=1e-4, **options)
    same_metrics(tmp_path / "4", tmp_path / "2")
    same_metrics(tmp_path / "4", tmp_path / "1")


def test_live_adapter_off_and_cached_references_are_the_same(base: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data", [row(n) for n in range(4)])
    adapter = {"lora": True, "lora_r": 4}
    for reference in ("cached", "adapter_off", "online"):
        run_training(base, data, tmp_path / reference, config={**adapter, "reference": reference})
    same_metrics(tmp_path / "cached", tmp_path / "adapter_off")
    same_metrics(tmp_path / "cached", tmp_path / "online")
    first = metrics(tmp_path / "cached")[0]
    assert first["rewards/chosen"] == pytest.approx(0, abs=1e-5)  # live: the untrained policy is the reference
    assert metrics(tmp_path / "cached")[-1]["rewards/margins"] != pytest.approx(0, abs=1e-3)


def test_weights_move_at_1e_minus_6_under_bf16_and_the_vision_tower_stays(base: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data", [row(n) for n in range(4)])
    run_training(base, data, tmp_path / "run", learning_rate=1e-6, bf16=True)
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "run"))
    for name, weights in after.items():
        assert weights.dtype == torch.float32
        assert torch.equal(weights, before[name]) == ("vision" in name), name
    moved = max(float((after[name] - before[name]).abs().max()) for name in after)
    assert 0 < moved < 1e-5


def test_a_freed_vision_tower_moves(base: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data", [row(n) for n in range(4)])
    run_training(base, data, tmp_path / "run", config={"freeze_vision": False})
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "run"))
    assert any(not torch.equal(after[name], before[name]) for name in after if "vision" in name)
