"""The golden story: every command once and more, in the order in which data flows, with small sources and few steps.

Each step is one command line of `python -m blindpo`, run in the side's own folder: `in/` holds the sources, `out/` what
the steps leave; what a step prints as JSON goes to `printed/STEP.json`. Where HEAD spells a command in another way than
the base, `head` says how.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Step:
    """One command."""

    name: str
    line: str
    """The words behind `blindpo`."""
    head: str | None = None
    """The same at HEAD, where it is spelled otherwise."""
    status: int = 0
    """The exit status that it must have."""
    json: bool = True
    """Whether it takes --json, so that what it prints is compared."""


WORDS: Final = "--set max_new_tokens=40 --set batch_size=8 --set num_draws=200"
VIEWS: Final = "--set views=as_is,text,removed,blank,swapped,safe_image"
TRAINED: Final = (
    "--max_steps 6 --per_device_train_batch_size 6 --learning_rate 5e-4 --logging_steps 1 --report_to none --use_cpu "
    "true --disable_tqdm true --seed 7"
)
"""Of every training run: some updates at a rate that changes answers."""
LORA: Final = "--lora true --lora_r 4 --lora_alpha 8"

IMPORT: Final = (
    Step("import_mmsafe", "import mmsafe-po in/mmsafe/test.json --images in/mmsafe/images --out out/mmsafe"),
    Step("import_strict", "import mmsafe-po in/mmsafe/test.json --images in/mmsafe/images --out out/strict --strict",
         status=1),
    Step("import_pairs", "import trl in/pairs.parquet --out out/pairs"),
    Step("import_rows", "import trl in/rows.parquet --out out/rows"),
    Step("import_dialogues", "import hh-rlhf in/dialogues.jsonl --out out/dialogues"),
    Step("import_xstest", "import xstest in/benchmarks/xstest --out out/xstest"),
    Step("import_msts", "import msts in/benchmarks/msts --out out/msts"),
    Step("benchmarks", "benchmarks --data in/benchmarks"),
    Step("check", "check out/mmsafe"),
    Step("check_model", "check out/mmsafe --model in/tiny --max-length 300"),
    Step("check_pairs", "check out/pairs --model in/tiny"),
    Step("stats_mmsafe", "stats out/mmsafe --figures out/figures"),
    Step("stats_pairs", "stats out/pairs"),
)  # fmt: skip

EXPORT: Final = (
    Step("export_mmsafe", "export mmsafe-po out/mmsafe --out out/exported.json --images out/exported_images"),
    Step("export_trl", "export trl out/mmsafe --out out/exported.parquet"),
    Step("export_llava", "export llava out/mmsafe --out out/exported_llava.json"),
    Step("export_hh", "export hh-rlhf out/dialogues --out out/exported.jsonl"),
    Step("import_again", "import llava out/exported_llava.json --images out/exported_images --out out/llava"),
)

BUILD: Final = (
    Step("build", "build in/dialogues.jsonl --catalogue in/catalogue --out out/built --workers 1 "
         "--set categorise=rules"),
    Step("build_workers", "build in/dialogues.jsonl --catalogue in/catalogue --out out/built_workers --workers 2 "
         "--set shard_dialogues=5 --set test_share=0.4"),
    Step("build_paper", "build out/dialogues --catalogue in/catalogue --out out/built_paper --workers 1 --set "
         "template=paper --set filters=unsound --set flags=leak-question,leak-history --set near_duplicates=allow"),
    Step("stats_built", "stats out/built"),
)  # fmt: skip

_SAMPLED: Final = "--draws 2 --max-new-tokens 40 --batch-size 8 --seed 5 --set shard_rows=7"


def _blind(name: str, mode: str, view: str) -> Step:
    line = f"blind out/pairs --model in/tiny --out out/blind_{name} {_SAMPLED}"
    return Step(f"blind_{name}", f"{line} --mode {mode}", head=f"{line} --view {view}")


BLIND: Final = (
    Step("blind", f"blind out/pairs --model in/tiny --out out/blind {_SAMPLED}"),
    _blind("blank", "blank", "blank"),
    _blind("noise", "noise", "noise"),
    _blind("swap", "swap", "swapped"),
    _blind("sight", "sight", "as_is"),
    Step("blind_greedy", "blind out/mmsafe --model in/tiny --out out/blind_greedy --temperature 0 --max-new-tokens 16"),
    Step("check_blind", "check out/blind_swap"),
    Step("stats_blind", "stats out/blind_swap"),
)

TRAIN: Final = (
    Step("train_bpo", f"train out/blind --model in/tiny --out out/bpo --method bpo {TRAINED} --eval out/blind_blank "
         "--probe_steps 3 --probe_rows 4 --save_steps 3"),
    Step("train_dpo", f"train out/pairs --model in/tiny --out out/dpo --method dpo {TRAINED} --save_strategy no"),
    Step("train_bpo_lora", f"train out/blind --model in/tiny --out out/bpo_lora {LORA} --reference adapter_off "
         f"{TRAINED} --save_strategy no"),
    Step("train_dpo_lora", f"train out/pairs --model in/tiny --out out/dpo_lora --method dpo {LORA} {TRAINED} "
         "--save_strategy no"),
    Step("train_separate", f"train out/blind_sight --model in/tiny --out out/separate --packing off --freeze_vision "
         f"false --tokens_per_batch 400 --reference online {TRAINED} --save_strategy no"),
)  # fmt: skip

_RULES: Final = (
    f"evaluate out/mmsafe --model out/bpo --judge refusal-rules --out out/eval_rules --set safe_images=in/safe {WORDS}"
)
EVALUATE: Final = (
    Step("evaluate", f"evaluate out/rows --model in/tiny --judge oracle --out out/eval_tiny {VIEWS} {WORDS}"),
    Step("evaluate_bpo", f"evaluate out/rows --model out/bpo --judge oracle --out out/eval_bpo {WORDS}"),
    Step("evaluate_dpo", f"evaluate out/rows --model out/dpo --judge oracle --out out/eval_dpo {WORDS}"),
    Step("evaluate_bpo_lora", f"evaluate out/rows --model out/bpo_lora --judge oracle --out out/eval_bpo_lora {WORDS}"),
    Step("evaluate_dpo_lora", f"evaluate out/rows --model out/dpo_lora --judge oracle --out out/eval_dpo_lora {WORDS}"),
    Step("evaluate_rules", f"{_RULES} --set views=as_is,mid,text,swapped,safe_image",
         head=f"{_RULES} --set views=as_is,deictic,text,swapped,safe_image"),
    Step("evaluate_sampled", "evaluate out/rows --model in/tiny --judge refusal-rules --out out/eval_sampled "
         f"--set temperature=1.0 --set top_k=20 --set likelihoods=false --workers 2 --set shard_rows=6 {WORDS}"),
    Step("evaluate_panel", "evaluate out/rows --responses in/recorded.jsonl --judge panel:oracle+refusal-rules "
         "--out out/eval_recorded --set views=as_is,text --set num_draws=200"),
    Step("evaluate_part_1", f"evaluate out/rows --model in/tiny --judge oracle --part 1/2 --out out/part_1 {VIEWS} "
         f"{WORDS} --set shard_rows=10"),
    Step("evaluate_part_2", f"evaluate out/rows --model in/tiny --judge oracle --part 2/2 --out out/part_2 {VIEWS} "
         f"{WORDS} --set shard_rows=10"),
    Step("merge", "evaluate out/part_1 out/part_2 --merge --judge oracle --out out/eval_merged --set num_draws=200",
         "merge out/part_1 out/part_2 --judge oracle --out out/eval_merged --set num_draws=200"),
    Step("rejudge", "evaluate out/eval_tiny --rejudge --judge refusal-rules --out out/eval_rejudged "
         "--set num_draws=200",
         "rejudge out/eval_tiny --judge refusal-rules --out out/eval_rejudged --set num_draws=200"),
    Step("suite", "evaluate --recipe in/suite.yaml --models tiny=in/tiny bpo=out/bpo --out out/suite",
         "suite --recipe in/suite_flat.yaml --models tiny=in/tiny bpo=out/bpo --out out/suite"),
)  # fmt: skip

AFTER: Final = (
    Step("probe", "probe out/rows --out out/pairwise", "pairwise-rows out/rows --out out/pairwise"),
    Step("evaluate_pairwise", "evaluate out/pairwise --model in/tiny --judge refusal-rules --set likelihoods=false "
         f"--out out/eval_pairwise {WORDS}"),
    Step("protocols_list", "protocols"),
    Step("protocols", "protocols out/eval_rules --use all --out out/scores"),
    Step("protocols_pairwise", "protocols out/eval_pairwise --use mmsafe/pairwise-prompted --out out/scores_pairwise"),
    Step("label_sheet", "label-sheet out/eval_tiny out/eval_bpo --num 9 --out out/sheet"),
    Step("judge_check", "judge-check in/labels.csv in/verdicts.csv --model-column model --cluster prompt --response "
         "answer --with-rules --labels-per-model 8 --num-draws 200 --num-choices 20"),
    Step("judge_check_eval", "judge-check in/eval_labels.csv out/eval_recorded --labels-per-model 8 --num-draws 200 "
         "--num-choices 20"),
    Step("report", "report out/eval_tiny out/eval_bpo out/eval_dpo out/eval_bpo_lora out/eval_rules out/bpo out/dpo "
         "out/bpo_lora out/scores --out out/report.html"),
    Step("report_suite", "report out/suite --out out/report_suite.html"),
)  # fmt: skip

DEMO: Final = (Step("demo", "demo --quick --out out/demo"),)


def steps(*, rows: bool, demo: bool) -> Iterator[Step]:
    """The story; with the released rows in `in/released`, with the demo."""
    for part in (IMPORT, EXPORT, BUILD, BLIND, TRAIN, EVALUATE, AFTER):
        yield from part
    if rows:
        yield Step(
            "released_import", "import mmsafe-po in/released/test.json --images in/released/images --out out/real"
        )
        yield Step("released_check", "check out/real --model in/tiny")
        yield Step("released_stats", "stats out/real")
        yield Step("released_export", "export mmsafe-po out/real --out out/real.json")
        yield Step("released_blind", "blind out/real --model in/tiny --out out/real_blind --max-new-tokens 8")
    if demo:
        yield from DEMO
