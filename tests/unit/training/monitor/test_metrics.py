"""Metrics and health figures by hand, and their file."""

import math
from pathlib import Path

import pytest
import torch

from blindpo.training.monitor.metrics import (
    CORRELATION,
    SHIFT,
    STUCK,
    MeanMetrics,
    MetricsFile,
    health_sums,
    kind_sums,
    length_sums,
    split_durations,
    with_correlation,
)


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
    means.add(kind_sums(chosen, logps, "rejected", **rejected))
    one = {"r_K": torch.tensor([-1.0, 3.0]), "logps_K": torch.tensor([-2.0, -2.0]), "row_K": torch.tensor([0, 0])}
    means.add(kind_sums(chosen, logps, "blind", **one))
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


def test_shift_and_stuck_share_by_hand() -> None:
    sums = health_sums(torch.tensor([-2.0, 1.0]), torch.tensor([4, 2]), torch.tensor([0.01, 1.0]), torch.tensor([0, 0]))
    assert sums[SHIFT] == (0.0, 2)  # -0.5 and 0.5 a token
    assert sums[STUCK] == (0.5, 1)  # one row has blind responses, half of them stand at log 2


def test_a_stuck_term_is_within_a_hundredth_of_log_2() -> None:
    assert -math.log(1 / (1 + math.exp(-0.02))) == pytest.approx(math.log(2), abs=0.0101)


def test_the_correlation_is_over_all_batches_together() -> None:
    metrics = MeanMetrics()
    for margins, lengths in (([1.0, 3.0], [0, 4]), ([2.0, 0.0], [2, 1])):
        metrics.add(length_sums(torch.tensor(margins), torch.tensor(lengths)))
    found = with_correlation(metrics.means())
    wanted = torch.corrcoef(torch.tensor([[1.0, 3.0, 2.0, 0.0], [0.0, 4.0, 2.0, 1.0]]))[0, 1]
    assert found == {CORRELATION: pytest.approx(float(wanted), abs=1e-6)}


def test_where_nothing_varies_there_is_no_correlation() -> None:
    metrics = MeanMetrics()
    metrics.add(length_sums(torch.tensor([1.0, 2.0]), torch.tensor([3, 3])))
    assert with_correlation({**metrics.means(), "loss": 1.0}) == {"loss": 1.0}
