"""An import that is killed, wherever, goes on with the same command and ends with the same bytes."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.folder_bytes import contents

from blindpo.cli.main import main
from blindpo.rows.shards import shard_paths

KILL = "import os, signal; kill = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
PLACES = {
    "while a shard is made": """
from blindpo.datasets import importer as importing
make = importing._Importer.__call__
importing._Importer.__call__ = lambda self, shard: kill() if shard == 2 else make(self, shard)
""",
    "between a shard's rows and its counts": """
from blindpo.jobs import shards as local
write = local.write_json
local.write_json = lambda path, content: kill() if "00001" in path.name else write(path, content)
""",
    "while a shard is written": """
from blindpo.rows import shards
groups = shards._groups
shards._groups = lambda rows: kill()
""",
    "before the manifest": """
from blindpo.jobs.folder import OutFolder
OutFolder.finish = kill
""",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two hundred text-only records, some of them bad."""
    records = [
        {
            "id": number,
            "conversations": [{"from": "human", "value": f"question {number}"}],
            "chosen": f"answer {number}",
            "rejected": "" if number % 7 == 0 else "no",
        }
        for number in range(200)
    ]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(records))
    return path


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_import_ends_with_the_same_bytes(place: str, source: Path, tmp_path: Path) -> None:
    words = ["import", "llava", str(source), "--out"]
    assert main([*words, str(tmp_path / "whole")]) == 0
    code = f"{KILL}{PLACES[place]}\nfrom blindpo.cli.main import main\nmain({[*words, str(tmp_path / 'killed')]!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert not (tmp_path / "killed" / "manifest.json").exists()
    assert main([*words, str(tmp_path / "killed")]) == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert len(shard_paths(tmp_path / "killed")) == 4
    manifest = json.loads((tmp_path / "killed" / "manifest.json").read_text())
    assert (manifest["read"], manifest["kept"], manifest["rejected"]) == (200, 171, 29)
