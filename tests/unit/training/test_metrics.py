"""Metrics by hand, their file, and which checkpoints count."""

from pathlib import Path

import pytest
import torch

from blindpo.training.monitor.metrics import MeanMetrics, MetricsFile, response_sums, split_durations
from blindpo.training.output.checkpoints import drop_half_written, keep_newest, latest_complete, mark_complete, state_of


def test_means_are_over_rows_that_have_the_metric() -> None:
    sums = MeanMetrics()
    sums.add({"loss": (3.0, 2), "rewards/blind": (0.0, 0)})
    sums.add({"loss": (3.0, 1)})
    assert sums.means() == {"loss": 2.0}
    again = MeanMetrics()
    again.restore(sums.sums)
    assert again.means() == sums.means()
    sums.clear()
    assert sums.means() == {}


def test_responses_against_the_chosen_ones_by_hand() -> None:
    chosen = torch.tensor([1.0, 0.0])
    logps = torch.tensor([-4.0, -6.0])
    rejected = {"r_K": torch.tensor([0.0, 2.0]), "logps_K": torch.tensor([-1.0, -3.0]), "row_K": torch.tensor([0, 1])}
    means = MeanMetrics()
    means.add(response_sums(chosen, logps, "rejected", **rejected))
    one = {"r_K": torch.tensor([-1.0, 3.0]), "logps_K": torch.tensor([-2.0, -2.0]), "row_K": torch.tensor([0, 0])}
    means.add(response_sums(chosen, logps, "blind", **one))
    assert means.means() == pytest.approx({
        "rewards/chosen": 0.5, "logps/chosen": -5, "rewards/rejected": 1, "rewards/accuracies": 0.5,
        "rewards/margins": -0.5, "logps/rejected": -2,
        "rewards/blind": 1, "rewards/blind_accuracies": 0.5, "rewards/blind_margins": 0, "logps/blind": -2,
    })  # fmt: skip


def test_clock_times_are_split_off() -> None:
    logs = {"eval_loss": 1.0, "eval_runtime": 2.0, "train_steps_per_second": 3.0}
    assert split_durations(logs) == ({"eval_loss": 1.0}, {"eval_runtime": 2.0, "train_steps_per_second": 3.0})


def test_the_file_is_cut_at_a_step_and_loses_a_half_line(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "metrics.jsonl")
    assert file.read() == []
    for step in (1, 2, 3):
        file.append({"step": step})
    with file.path.open("a") as half:
        half.write('{"step": 4')
    file.cut(2)
    assert file.path.read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_checkpoint_counts_with_its_mark_alone(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        (tmp_path / f"checkpoint-{step}").mkdir()
    assert latest_complete(tmp_path) is None
    drop_half_written(tmp_path)
    for step in (5, 10, 15, 20):
        (tmp_path / f"checkpoint-{step}").mkdir()
    for step in (5, 10, 15):
        mark_complete(tmp_path / f"checkpoint-{step}", [{"loss": (1.5, 2)}, {}])
    assert (tmp_path / "checkpoint-20").is_dir()  # to look for the latest deletes nothing
    found = latest_complete(tmp_path)
    assert found is not None and state_of(found) == (15, [{"loss": [1.5, 2]}, {}])
    drop_half_written(tmp_path)
    keep_newest(tmp_path, 1, best=str(tmp_path / "checkpoint-5"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-15", "checkpoint-5"]
