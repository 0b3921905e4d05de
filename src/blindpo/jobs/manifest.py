"""The JSON files of a run: written whole or not at all, sorted, with the same bytes for the same content."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from blindpo.errors import SourceError
from blindpo.rows.shards import whole_file

VERSIONED: Final = ("blindpo", "torch", "transformers", "tokenizers", "peft", "numpy", "pyarrow", "pillow")


def write_json(path: Path, content: object) -> None:
    """Write `content` to `path` as JSON, through a temporary file that is then renamed."""
    write_text(path, json.dumps(content, indent=2, sort_keys=True) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` so that a kill leaves the old file or the new one, never half of one."""
    with whole_file(path) as file:
        file.write(text.encode())


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises SourceError if it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SourceError(f"{path} is missing; is {path.parent} the folder that you meant?") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); give a file that can be") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(
            f"{path} is not JSON ({error}), so it is damaged; if a command of blindpo wrote it, delete {path.parent} "
            "and run that command again"
        ) from error


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a result."""
    numbers = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            numbers[name] = version(name)
        except PackageNotFoundError:
            continue
    return numbers
