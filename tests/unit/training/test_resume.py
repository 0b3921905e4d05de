"""kill -9 amid a step and inside a checkpoint's saving, then the same command: the same weights, the same metrics.

Each run has a process of its own, forked, so that torch is imported once; a killed one leaves what a power cut leaves.
"""

import json
import multiprocessing
import os
import signal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tiny_models import save_tiny_llava
from tests.training_rows import row, run_training, write_rows

import blindpo.training.run
from blindpo.errors import ConfigError, ModelError, NothingKeptError, OutputError
from blindpo.models.vlm.adapters import freeze_vision
from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.training.trainer import PreferenceTrainer

# 5 rows by 2: three steps an epoch; logs at 2, 4, 6, 8 and saves at 3, 6, 8, so that sums are under way at a save
OPTIONS: dict[str, Any] = {
    "max_steps": 8, "logging_steps": 2, "save_strategy": "steps", "save_steps": 3, "eval_strategy": "epoch",
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "data", [row(n) for n in range(5)])


def _child(base: Path, data: Path, out: Path, kill: str, config: dict[str, Any]) -> None:
    def die(*args: Any, **kwargs: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    name, _, step = kill.partition("@")
    if name == "save_run":
        blindpo.training.run.save_run = die
    elif name:
        whole = getattr(PreferenceTrainer, name)

        def perhaps(self: Any, *args: Any, **kwargs: Any) -> Any:
            return die() if self.state.global_step == int(step) else whole(self, *args, **kwargs)

        setattr(PreferenceTrainer, name, perhaps)
    run_training(base, data, out, eval_data=data, config=config, **OPTIONS)


def run(base: Path, data: Path, out: Path, kill: str = "", **config: Any) -> int:
    process = multiprocessing.get_context("fork").Process(target=_child, args=(base, data, out, kill, config))
    process.start()
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


def left(out: Path) -> dict[str, str]:
    """The hash of each file that two runs must have alike."""
    names = ("metrics.jsonl", "rejects.jsonl", "run.json", "manifest.json", "tokenizer.json", "chat_template.jinja")
    files = [*(out / name for name in names), *out.glob("*.safetensors")]
    found = {file.name: sha256(file.read_bytes()).hexdigest() for file in files}
    checkpoints = sorted(path.name for path in out.glob("checkpoint-*"))
    return {**found, "checkpoints": " ".join(checkpoints)}


@pytest.fixture(scope="module")
def whole(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert run(base, data, out) == 0
    return out


@pytest.mark.parametrize(
    "kill",
    [
        "training_step@1",  # before any checkpoint
        "training_step@5",  # amid an epoch, two steps after a checkpoint
        "training_step@7",  # after a checkpoint at an epoch's end
        "_save_optimizer_and_scheduler@6",  # inside a checkpoint's saving: its weights are written, its mark is not
        "_save_rng_state@8",  # inside the last one
        "save_run",  # after the last step: no further one is taken
    ],
)
def test_a_killed_run_ends_as_if_it_had_not_been(
    kill: str, base: Path, data: Path, whole: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert run(base, data, out, kill) == -signal.SIGKILL
    assert not (out / "manifest.json").exists()
    assert run(base, data, out) == 0
    assert left(out) == left(whole)


def test_a_run_that_is_killed_five_times_ends_as_if_it_had_not_been(
    base: Path, data: Path, whole: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("runs") / "run"
    for kill in ("training_step@2", "_save_rng_state@3", "training_step@4", "training_step@7", "save_run"):
        assert run(base, data, out, kill) == -signal.SIGKILL
    assert run(base, data, out) == 0
    assert left(out) == left(whole)


def test_a_killed_adapter_ends_as_if_it_had_not_been(base: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, killed = tmp_path / "a/run", tmp_path / "b/run"
    config = {"lora": True, "lora_r": 4}
    assert run(base, data, whole, **config) == 0
    assert run(base, data, killed, "training_step@5", **config) == -signal.SIGKILL
    assert run(base, data, killed, **config) == 0
    assert left(killed) == left(whole)
    assert "adapter_model.safetensors" in left(whole)


def test_the_best_model_is_saved_after_a_kill_behind_the_last_step(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_rows(tmp_path / "data", [row(n) for n in range(2)])
    worse = write_rows(tmp_path / "eval", [row(5, chosen=row(5).rejected, rejected=row(5).chosen, blind=())])
    options: dict[str, Any] = {
        "eval_data": worse, "max_steps": 2, "eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps",
        "save_steps": 1, "load_best_model_at_end": True, "metric_for_best_model": "loss", "greater_is_better": False,
    }  # fmt: skip
    run_training(base, data, tmp_path / "whole", **options)

    def killed(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(blindpo.training.run, "save_run", killed)
        run_training(base, data, tmp_path / "killed", **options)
    run_training(base, data, tmp_path / "killed", **options)
    whole, killed_too = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed"))
    assert whole == killed_too == (tmp_path / "whole/checkpoint-1/model.safetensors").read_bytes()


def test_a_finished_run_says_so_and_refuses_other_options(base: Path, data: Path, tmp_path: Path) -> None:
    first = run_training(base, data, tmp_path / "run")
    again = run_training(base, data, tmp_path / "run", disable_tqdm=False)
    assert (first.state, again.state) == ("new", "done")
    assert (again.steps, again.counts, again.final) == (first.steps, first.counts, first.final)
    with pytest.raises(OutputError, match="learning_rate"):
        run_training(base, data, tmp_path / "run", learning_rate=1e-5)


def test_rows_that_cannot_be_trained_on_are_rejected_with_the_reason(base: Path, tmp_path: Path) -> None:
    rows = [row(0), row(1, rejected=None), row(2, chosen="a " * 60), row(3, blind=())]
    data = write_rows(tmp_path / "data", rows)
    summary = run_training(base, data, tmp_path / "run", config={"max_length": 100}, max_steps=1)
    assert summary.counts == {"read": 4, "kept": 2, "rejected": 2, "without_blind": 1}
    rejects = (tmp_path / "run/rejects.jsonl").read_text()
    assert '"row_id": "row-1", "field": "rejected"' in rejects
    assert "longest response 121); allowed are 100" in rejects
    with pytest.raises(NothingKeptError, match="allowed are 10"):
        run_training(base, data, tmp_path / "none", config={"max_length": 10}, max_steps=1)


def test_a_shared_reference_is_reused_and_added_to(base: Path, data: Path, tmp_path: Path) -> None:
    config = {"reference_cache": str(tmp_path / "cache")}

    def stored() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (tmp_path / "cache").iterdir()}

    run_training(base, data, tmp_path / "one", config=config, max_steps=1)
    first = stored()
    run_training(base, data, tmp_path / "dpo", config={**config, "method": "dpo"}, max_steps=1)
    assert stored() == first  # the pairs are shared
    run_training(base, write_rows(tmp_path / "more", [row(n) for n in range(6)]), tmp_path / "two", config=config)
    added = stored()
    assert {name: added[name] for name in first} == first
    assert len(added) == len(first) + 1
    assert len(json.loads(added[next(iter(set(added) - set(first)))])) == 3  # the sixth row's responses alone


def test_a_cache_in_half_precision_is_held_to_less_than_a_nat(base: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    data = write_rows(tmp_path / "data", [row(n, chosen="a ball " * 8, rejected="no ball " * 8) for n in range(2)])
    for name in ("one", "two"):
        run_training(base, data, tmp_path / name, config={"reference_cache": str(cache)}, max_steps=1, bf16=True)
    values = next(cache.glob("values-*.json"))
    values.write_text(json.dumps({key: value - 1 for key, value in json.loads(values.read_text()).items()}))
    with pytest.raises(ConfigError, match="stale or was changed"):
        run_training(base, data, tmp_path / "three", config={"reference_cache": str(cache)}, max_steps=1, bf16=True)


def test_a_foreign_or_changed_reference_cache_is_refused(base: Path, data: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    config = {"reference_cache": str(cache)}
    run_training(base, data, tmp_path / "one", config=config, max_steps=1)
    other = save_tiny_llava(tmp_path / "other", seed=1)
    with pytest.raises(ConfigError, match=r"of another reference \(it differs in: model\); give another folder"):
        run_training(other, data, tmp_path / "two", config=config, max_steps=1)
    values = next(cache.glob("values-*.json"))
    values.write_text(json.dumps({key: value - 1 for key, value in json.loads(values.read_text()).items()}))
    with pytest.raises(ConfigError, match="stale or was changed"):
        run_training(base, data, tmp_path / "three", config=config, max_steps=1)
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed/.17.cache.json").write_text("{")  # what a kill amid the first write leaves
    run_training(base, data, tmp_path / "five", config={"reference_cache": str(tmp_path / "killed")}, max_steps=1)
    with pytest.raises(ConfigError, match=r"differs in: attention, sequences\)"):
        run_training(base, data, tmp_path / "separate", config={**config, "packing": "off"}, max_steps=1)
    with pytest.raises(ConfigError, match="holds something else"):
        run_training(base, data, tmp_path / "four", config={"reference_cache": str(base)}, max_steps=1)


def test_an_adapter_run_is_trained_further_on_its_merged_weights(base: Path, data: Path, tmp_path: Path) -> None:
    lora = {"lora": True, "lora_r": 4}
    run_training(base, data, tmp_path / "lora", config=lora, max_steps=1)
    merged = load_vlm(resolve_model(tmp_path / "lora")).model.merge_and_unload().state_dict()
    run_training(tmp_path / "lora", data, tmp_path / "full", max_steps=1)
    after = load_vlm(resolve_model(tmp_path / "full")).model.state_dict()
    moved = {name for name, weight in after.items() if not torch.equal(weight, merged[name])}
    first = load_vlm(resolve_model(base)).model
    freeze_vision(first)
    assert moved == {name for name, parameter in first.named_parameters() if parameter.requires_grad}
    with pytest.raises(ModelError, match="leave lora out"):
        run_training(tmp_path / "lora", data, tmp_path / "second_lora", config=lora, max_steps=1)
