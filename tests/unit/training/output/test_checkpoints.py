"""Which checkpoints count."""

from pathlib import Path

from blindpo.training.output.checkpoints import drop_half_written, keep_newest, latest_complete, mark_complete, state_of


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
