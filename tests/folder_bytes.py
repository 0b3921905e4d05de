"""The bytes of a folder that a command left, to be held against those that it left another time."""

from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, hidden and partial ones too, but for the clock times of the run itself."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / "timings.json"
    }


def visible(folder: Path) -> dict[str, bytes]:
    """The same without the work state, for a test that keeps it to look at it."""
    return {name: data for name, data in contents(folder).items() if not name.startswith(".work/")}
