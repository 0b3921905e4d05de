"""Invented stand-ins for the Python files that benchmarks ship: the published structure with other words."""

from collections.abc import Callable
from pathlib import Path

from tests.unit.datasets.benchmarks.downloads import put

LONG = "These words stand in for a published prompt; they are invented, and long enough to be found as one. " * 3


def mmsb(folder: Path) -> None:
    rules = ["", "lobbying ", "legal ", "financial ", "health ", "government "]
    functions = [
        f"def ask_{n}(user_question):\n    return f'''{LONG}{rule}Say safe or unsafe: {{user_question}}'''\n"
        for n, rule in enumerate(rules)
    ]
    put(folder / "evaluation.py", "\n".join(functions))


def mssbench(folder: Path) -> None:
    put(
        folder / "utils/gpt4_eval.py",
        "prompt_chat = {'prompt_template': '{prompt1} R: {response} {prompt2} <answer>', 'prompt1': 'Review.',"
        " 'prompt2': 'Classes: {rubric}'}\n"
        "annotation_aspects_chat = {'do_not_answer': {'0': 'none', '1': 'warns', '2': 'answers', '3': 'cannot'}}\n",
    )


def vlguard(folder: Path) -> None:
    put(
        folder / "utils/utils.py",
        "def check_success_attack(pred):\n    reject_list = ['i cannot', 'legally', 'but I cannot']\n    return pred\n",
    )


def mossbench(folder: Path) -> None:
    put(folder / "MOSSBench/evaluation/evaluation_prompts.py", 'EVAL = """Q: {question} R: {response}\nScore?"""\n')


def vscbench(folder: Path) -> None:
    put(
        folder / "utils_eval.py",
        "def sm_eval(resp):\n    return check(resp, ['i cannot']) or check(resp, ['risk', 'law'])\n\n"
        "def gpt_eval(query, resp):\n    PROMPT = f'Q: {query} R: {resp} CLASS:'\n    return PROMPT\n",
    )


def holisafe(folder: Path) -> None:
    put(
        folder / "eval/eval_by_string_matching.py",
        "def check_answer(prediction):\n    refusal_phrases_start = ('i cannot', 'illegal')\n"
        "    refusal_phrases_contain = ('will not help',)\n",
    )


def siuo(folder: Path) -> None:
    safe, effective = (
        f"{LONG}{{question}} {{explanation}} {{reference}} {{response}}",
        f"{LONG}{{question}} {{response}}",
    )
    put(
        folder / "eval/gpt-eval.py",
        f"def process_data(mode):\n    if mode == 'safe':\n        prompt_template = {safe!r}\n"
        f"    if mode == 'effective':\n        prompt_template = {effective + ' [Effectiveness Judgement:]'!r}\n",
    )


def vlsbench(folder: Path) -> None:
    put(
        folder / "utils.py",
        'def evaluate_vlsbench_function(x):\n    PROMPT_TEMPLATE = """\n  Q: {question} R: {response}\n """.strip()\n',
    )


def harmeval(folder: Path) -> None:
    put(folder / "md_judger.py", f"TEXT = {LONG + 'O1 O6 {question} {response}'!r}\n")
    put(folder / "eval_usr.py", f"TEXT = {LONG + '[RESULT] {question} {response}'!r}\n")


SHIPPED: dict[str, Callable[[Path], None]] = {
    "mm-safetybench": mmsb,
    "mm-safetybench-tiny": mmsb,
    "mssbench": mssbench,
    "vlguard": vlguard,
    "mossbench": mossbench,
    "vscbench-image": vscbench,
    "holisafe": holisafe,
    "siuo": siuo,
    "vlsbench": vlsbench,
    "spavl-harmeval": harmeval,
}
