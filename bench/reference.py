"""What the cached reference saves: CPU time of a BPO step with the reference known against scoring it each time.

A random tiny LLaVA, one triple of responses, interleaved rounds in one process; only the ratio means anything on a
shared machine. Run: `make bench`.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.tiny_models import save_tiny_llava

from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.logprobs import response_logps
from blindpo.models.vlm.prompt import collate, encode_prompt, encode_response
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import Turn

ROUNDS = 15


def main() -> None:
    """Print the ratio and write bench/out/reference.json."""
    torch.set_num_threads(1)
    vlm = load_vlm(resolve_model(str(save_tiny_llava(Path(tempfile.mkdtemp()) / "model"))))
    turns = (Turn(role="user", content=("word " * 60,)),)
    prompt = encode_prompt(vlm.processor, turns, [])
    responses = [encode_response(vlm.processor, turns, text * 12) for text in ("yes ", "no ", "why ")]
    batch = collate([prompt] * 3, responses, pad_id=vlm.pad_id)

    def cpu_seconds(live_reference: bool) -> float:
        start = time.process_time()
        response_logps(vlm.model, batch).sums_N.sum().backward()
        if live_reference:
            with torch.no_grad():
                response_logps(vlm.model, batch)
        return time.process_time() - start

    cpu_seconds(True)
    rounds = [{"cached": cpu_seconds(False), "live": cpu_seconds(True)} for _ in range(ROUNDS)]
    ratio = statistics.median(r["live"] for r in rounds) / statistics.median(r["cached"] for r in rounds)
    out = Path(__file__).with_name("out")
    out.mkdir(exist_ok=True)
    (out / "reference.json").write_text(json.dumps({"rounds": rounds, "cpu_ratio_live_vs_cached": ratio}, indent=2))
    sys.stdout.write(f"step with a live reference / with the cached one: {ratio:.2f} x CPU time, {ROUNDS} rounds\n")


if __name__ == "__main__":
    main()
