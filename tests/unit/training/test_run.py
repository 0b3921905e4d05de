"""What a run says of itself: plan, health, probes, card, and stops that name their rows."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.tiny_models import save_tiny_llava
from tests.training_rows import row, run_training, write_rows

import blindpo.training.run
from blindpo.errors import ConfigError, TrainingError
from blindpo.training.collator import Collator
from blindpo.training.monitor.health import CORRELATION, SHIFT, STUCK
from blindpo.training.trainer import PreferenceTrainer


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "data", [row(n) for n in range(6)])


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_tells_its_plan_its_health_and_its_probes(
    base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"probe_steps": 2, "probe_rows": 3}
    summary = run_training(base, data, tmp_path / "run", config=config, max_steps=3, disable_tqdm=False)
    said = capsys.readouterr().err
    for words in ("engine: single on 1 process (cpu)", "memory per device, MiB", "trial of the longest batch",
                  "log-probability per token under the reference: chosen -", "probe at step 2"):  # fmt: skip
        assert words in said, words
    timings = json.loads((tmp_path / "run/timings.json").read_text())
    assert timings["trial_seconds"] > 0 and timings["plan_total_mib"] > timings["plan_weights_mib"] > 0
    assert summary.data_share is not None and 0 < summary.data_share < 1
    assert [record["step"] for record in lines(tmp_path / "run/probes.jsonl")] == [0, 2, 3]
    first, *_, last = lines(tmp_path / "run/metrics.jsonl")
    assert first[SHIFT] == pytest.approx(0, abs=1e-6) and first[STUCK] == 1.0  # the policy is the reference
    assert last[SHIFT] != first[SHIFT] and CORRELATION in last
    assert summary.before["blind"] < 0 and "verdict" in summary.before and summary.before["blind_equal_to_chosen"] == 0
    assert "probe/chosen_as_is" in summary.final
    card = (tmp_path / "run/README.md").read_text()
    assert "not stated | 6" in card and "probe/chosen_as_is" in card and "probe_steps: 2" in card
    assert str(tmp_path) not in card


def test_the_distance_from_the_policy_is_told_without_a_cached_reference_too(
    base: Path, data: Path, tmp_path: Path
) -> None:
    lora = {"lora": True, "lora_r": 4}
    cached = run_training(base, data, tmp_path / "cached", config=lora, max_steps=1).before
    live = run_training(base, data, tmp_path / "live", config={**lora, "reference": "adapter_off"}, max_steps=1).before
    for kind in ("chosen", "rejected", "blind"):
        assert live[kind] == pytest.approx(cached[kind], abs=1e-5)


def test_plan_trial_and_probes_change_no_result(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_training(base, data, tmp_path / "watched", config={"probe_steps": 1})
    monkeypatch.setattr("blindpo.training.loop._add_watches", lambda *args: None)
    run_training(base, data, tmp_path / "alone")
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (tmp_path / "watched" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_a_loss_that_is_no_number_stops_before_the_step_and_names_the_row(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Collator.logps

    def broken(self: Collator, model: Any, batch: dict[str, Any]) -> torch.Tensor:
        logps_S = whole(self, model, batch)
        bad = [place for place, name in enumerate(batch["row_ids"]) if name == "row-3"]
        return logps_S * torch.where(torch.isin(batch["row_S"], torch.tensor(bad)), torch.nan, 1.0)

    monkeypatch.setattr(Collator, "logps", lambda self, m, b: broken(self, m, b) if "row_S" in b else whole(self, m, b))
    with pytest.raises(TrainingError, match="the loss of 1 rows is NaN or infinite: row-3"):
        run_training(base, data, tmp_path / "run", max_steps=9)


def test_a_gradient_that_is_no_number_stops_before_the_step(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = PreferenceTrainer.training_step

    def broken(self: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        loss = whole(self, model, *args, **kwargs)
        if self.state.global_step == 1:
            next(p for p in model.parameters() if p.grad is not None).grad[0] = torch.inf
        return loss

    monkeypatch.setattr(PreferenceTrainer, "training_step", broken)
    with pytest.raises(TrainingError, match=r"the gradient of step 2 is NaN or infinite .*rows: row-\d, row-\d"):
        run_training(base, data, tmp_path / "run")


def test_image_tokens_that_do_not_fit_name_the_one_row(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blindpo.models.vlm.prompt import PromptInputs
    from blindpo.training.examples import ImageTensors

    whole = ImageTensors.encode

    def short(self: ImageTensors, each: Any, key: Any) -> PromptInputs:
        made = whole(self, each, key)
        if each.row_id == "row-4":
            ids = made.input_ids.clone()
            ids[(ids == 3).nonzero()[0]] = 5  # one image token less
            made = PromptInputs(ids, made.extras)
        return made

    monkeypatch.setattr(ImageTensors, "encode", short)
    with pytest.raises(TrainingError, match=r"^row row-4: the prompt's image tokens do not fit"):
        run_training(base, data, tmp_path / "run", config={"packing": "off"})


def test_a_probe_without_any_image_is_refused(base: Path, tmp_path: Path) -> None:
    from blindpo.rows.row import Turn

    plain = [row(n, images=(), prompt=(Turn(role="user", content=("what?",)),)) for n in range(3)]
    data = write_rows(tmp_path / "data", plain)
    with pytest.raises(ConfigError, match="no training row has an image"):
        run_training(base, data, tmp_path / "run", config={"probe_steps": 1})


def test_square_padding_goes_with_the_trained_model(base: Path, data: Path, tmp_path: Path) -> None:
    from blindpo.models.vlm.load import load_processor
    from blindpo.models.vlm.padding import image_padding
    from blindpo.models.vlm.source import resolve_model

    run_training(base, data, tmp_path / "run", config={"image_padding": "square"}, max_steps=1)
    assert image_padding(load_processor(resolve_model(tmp_path / "run"))) == "square"


def test_a_finished_run_is_pushed_once_and_again_on_the_same_command(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: list[tuple[Path, Any]] = []

    def push(run: Path, upload: Any) -> str:
        assert (run / "manifest.json").is_file()
        pushed.append((run, upload))
        return f"https://hub/{upload.hub_model_id}"

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(blindpo.training.run, "push", push)
    options = {"push_to_hub": "true", "hub_model_id": "me/model", "max_steps": 1}
    first = run_training(base, data, tmp_path / "run", **options)
    again = run_training(base, data, tmp_path / "run", **options)
    assert (first.state, again.state) == ("new", "done") and len(pushed) == 2
    assert first.uploaded == again.uploaded == "https://hub/me/model"
    assert "hub_model_id" not in (tmp_path / "run/run.json").read_text()
    plain = run_training(base, data, tmp_path / "run", max_steps=1)
    assert plain.uploaded is None and len(pushed) == 2


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"ACCELERATE_MIXED_PRECISION": "no", "MASTER_ADDR": "127.0.0.1"}, "started one"),
        ({"ACCELERATE_MIXED_PRECISION": "bf16"}, "set bf16=true"),
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}, "FSDP was asked for and single"),
    ],
)
def test_less_than_was_asked_for_is_an_error(
    environ: dict[str, str], words: str, base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr("blindpo.training.run.os", SimpleNamespace(environ=environ))
    monkeypatch.setattr("blindpo.training.loop.os", SimpleNamespace(environ=environ))
    with pytest.raises(ConfigError, match=words):
        run_training(base, data, tmp_path / "run")
