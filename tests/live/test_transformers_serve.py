"""A saved tiny VLM behind `transformers serve`, evaluated as a chat model: what it says is what it says locally.

Needs the packages of `transformers[serving]`: pip install fastapi uvicorn, in a venv of its own.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.tiny_models import save_tiny_llava
from tests.unit.evaluation.worlds import evaluate_local, evaluate_other, row, save_rows

from blindpo.evaluation.config import EvaluateConfig
from blindpo.evaluation.eval_folder import load_eval
from blindpo.models.chat.config import ServerConfig
from blindpo.models.vlm.source import resolve_model

pytestmark = pytest.mark.live
SECONDS = 120
SERVE = "import sys; from transformers.cli.transformers import main; sys.argv = ['transformers', *sys.argv[1:]]; main()"
CONFIG = EvaluateConfig(judge="refusal-rules", max_new_tokens=6, num_draws=100, likelihoods=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    process = subprocess.Popen([sys.executable, "-c", SERVE, *words], env={**os.environ, "HF_HUB_OFFLINE": "1"})
    try:
        _wait(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def _wait(address: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(SECONDS):
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    pytest.fail("the server did not come up")


def test_a_served_model_says_what_it_says_locally(
    server: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    data = save_rows(tmp_path / "data", [row(number) for number in range(4)])
    config = replace(CONFIG, model_server=ServerConfig(base_url=server, concurrency=2))
    evaluate_other(config, data, tmp_path / "served", model=f"chat:{model}")
    evaluate_local(CONFIG, data, resolve_model(model), tmp_path / "local")
    served, local = (load_eval(tmp_path / name).responses for name in ("served", "local"))
    assert [(r.row_id, r.view, r.text, r.cut) for r in served] == [(r.row_id, r.view, r.text, r.cut) for r in local]
