"""Which dialogue came first."""

from pathlib import Path

from blindpo.building.duplicates import FirstPositions, write_first_positions


def test_which_dialogue_came_first(tmp_path: Path) -> None:
    assert write_first_positions(iter([("b", 4), ("a", 7), ("a", 3), ("c", 0), ("b", 4)]), tmp_path) == 3
    first = FirstPositions(tmp_path)
    asked = [("a", 7), ("a", 3), ("b", 4), ("c", 0)]
    assert [first.came_before(name, place) for name, place in asked] == [True, False, False, False]
    assert write_first_positions(iter([]), tmp_path) == 0
