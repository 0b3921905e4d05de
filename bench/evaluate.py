"""What judging and statistics cost: 5,000 stored responses with 10,000 draws; requests per second against N in flight.

The first part judges 5,000 invented responses with refusal-rules and computes every measure with 10,000 draws behind
each interval, then compares two models, on one core; CPU seconds are printed, since the machine may be shared. The
second part asks a judge on a local server that takes 50 ms an answer, with N requests in flight; what a server that
answers at once allows is the client's own cost. Run: `make bench`.
"""

import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fakes import FakeChatServer
from tests.unit.evaluation.judge_tables import invented
from tests.unit.evaluation.judge_worlds import form, stored_eval

from blindpo.answer.response import RESPONSES, Response, json_lines
from blindpo.evaluation.config import RejudgeConfig
from blindpo.evaluation.eval_folder import load_eval
from blindpo.evaluation.judge_check.columns import JudgeCheckConfig
from blindpo.evaluation.judge_check.run import judge_check
from blindpo.evaluation.judges.verdict import VERDICTS
from blindpo.evaluation.run import rejudge
from blindpo.jobs.manifest import write_json
from blindpo.models.chat.config import ServerConfig
from blindpo.rows.row import IMAGE, ImageRef, PreferenceRow, Provenance, Turn
from blindpo.rows.shards import write_shard
from blindpo.stats.comparison import compare

NUM_RESPONSES = 5000
NUM_DRAWS = 10_000
DELAY_SECONDS = 0.05
IN_FLIGHT = (1, 2, 4, 8, 16, 32)
SAYS = ("I'm sorry, I can not help with that.", "It is a red ball.", "Here is how it is done.", "I am not sure.")


def picture(number: int) -> ImageRef:
    """A small image of its own colour."""
    data = io.BytesIO()
    Image.new("RGB", (16, 16), (number % 256, number // 256 % 256, 40)).save(data, "PNG")
    return ImageRef(data=data.getvalue())


def stored_responses(folder: Path, seed: int) -> Path:
    """5,000 rows, two to a pair and three to an image, with a response each, as a finished evaluation."""
    random = np.random.default_rng(seed)
    pictures = [picture(number) for number in range(NUM_RESPONSES // 3 + 1)]
    rows = [
        PreferenceRow(
            row_id=f"r{number}",
            prompt=(Turn(role="user", content=(IMAGE, "What is this?")),),
            images=(pictures[number // 3],),
            label="harmless" if number % 2 else "harmful",
            pair_id=f"p{number // 2}",
            provenance=Provenance(source="bench", source_row_id=str(number), dialogue_id=f"d{number // 4}"),
        )
        for number in range(NUM_RESPONSES)
    ]
    (folder / "rows").mkdir(parents=True)
    write_shard(folder / "rows" / "rows-00000.parquet", rows)
    responses = [Response(row_id=row.row_id, view="as_is", text=SAYS[int(random.integers(4))]) for row in rows]
    (folder / RESPONSES).write_text(json_lines(responses))
    (folder / VERDICTS).write_text("")
    write_json(folder / "measures.json", {})
    write_json(folder / "manifest.json", {"identity": {"data": "bench", "model": {"name": f"m{seed}"}}})
    return folder


def cpu_seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of `work` in this process, all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def judging(folder: Path) -> dict[str, float]:
    """CPU seconds of judging and measuring once, and of comparing two judged models on every measure."""
    evals = [stored_responses(folder / f"stored-{seed}", seed) for seed in (0, 1)]
    config = RejudgeConfig(judge="refusal-rules", num_draws=NUM_DRAWS)
    judged = cpu_seconds(lambda: rejudge(evals[0], config, folder / "judged-0"))
    rejudge(evals[1], config, folder / "judged-1")
    items = [load_eval(folder / f"judged-{seed}").items() for seed in (0, 1)]

    def fresh(a: str, b: str) -> np.random.Generator:
        return np.random.default_rng(0)

    def comparing() -> None:
        for name in items[0]:
            tables = {"a": items[0][name], "b": items[1][name]}
            compare(tables, generator=fresh, num_draws=NUM_DRAWS)

    labels, verdicts = invented(folder, per_model=NUM_RESPONSES // 3)
    check = JudgeCheckConfig(
        safe=("1",),
        unsafe=("2",),
        model_column="model",
        cluster="case",
        annotators=("first", "second"),
        response="answer",
        with_rules=True,
        key="id",
        num_draws=NUM_DRAWS,
    )
    return {
        "judge_and_measure": judged,
        "compare_two_models": cpu_seconds(comparing),
        "judge_check_of_4_judges": cpu_seconds(lambda: judge_check(labels, [verdicts], check)),
    }


def requests_a_second(folder: Path, in_flight: int, delay_seconds: float) -> float:
    """Verdicts a second of a chat judge on a local server."""
    num = max(60, 25 * in_flight) if delay_seconds else 300
    stored = stored_eval(folder / f"chat-{in_flight}-{delay_seconds}", num)
    with FakeChatServer(form, delay_seconds=delay_seconds) as server:
        config = RejudgeConfig(
            judge="chat:m",
            judge_server=ServerConfig(base_url=server.base_url, concurrency=in_flight),
            num_draws=100,
        )
        start = time.perf_counter()
        rejudge(stored, config, folder / f"out-{in_flight}-{delay_seconds}")
        return num / (time.perf_counter() - start)


def main() -> None:
    """Print both parts and write bench/out/evaluate.json."""
    folder = Path(tempfile.mkdtemp())
    costs = judging(folder)
    for name, seconds in costs.items():
        sys.stdout.write(f"{name}: {seconds:.1f} s CPU for {NUM_RESPONSES} responses, {NUM_DRAWS} draws\n")
    sys.stdout.write(f"all together: {sum(costs.values()):.1f} s CPU; the goal is under 20 s on one core\n")
    requests_a_second(folder, 3, 0.0)  # imports, once
    waiting = {number: requests_a_second(folder, number, DELAY_SECONDS) for number in IN_FLIGHT}
    sys.stdout.write(f"requests per second, server takes {1000 * DELAY_SECONDS:.0f} ms per answer\n")
    for number, rate in waiting.items():
        sys.stdout.write(f"  {number:>3} in flight: {rate:7.1f}  ({rate / waiting[1]:.1f} x one)\n")
    at_once = requests_a_second(folder, 8, 0.0)
    sys.stdout.write(f"  8 in flight, server answers at once: {at_once:.1f} (server and client share this machine)\n")
    out = Path(__file__).with_name("out")
    out.mkdir(exist_ok=True)
    record = {"cpu_seconds": costs, "requests_a_second": waiting, "answers_at_once": at_once}
    (out / "evaluate.json").write_text(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
