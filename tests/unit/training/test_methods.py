"""The table of methods: each pair term worked by hand, its value at the start, and that everybody reads the table."""

import argparse
import ast
import json
import subprocess
import sys
from math import log
from pathlib import Path

import pytest
import torch
from tests.tiny_models import save_tiny_llava
from tests.training_rows import row, run_training, write_rows

import blindpo
from blindpo.cli.train import add_arguments
from blindpo.demo.settings import VARIANTS
from blindpo.errors import ConfigError
from blindpo.jobs.recipe import load_config
from blindpo.training.config import TrainConfig
from blindpo.training.methods import METHODS, Method, Pairs, left_without_blind, sigmoid_term, squared_term

PACKAGE = Path(blindpo.__file__).parent
DOCS = PACKAGE.parents[1] / "docs"


def pairs(chosen: float, other: float, *, tokens: tuple[int, int] = (1, 1), beta: float = 0.1) -> Pairs:
    """One pair of rewards in nats, with beta in them."""
    return Pairs(
        chosen_r_P=torch.tensor([chosen], dtype=torch.float64),
        other_r_P=torch.tensor([other], dtype=torch.float64),
        chosen_tokens_P=torch.tensor([tokens[0]]),
        other_tokens_P=torch.tensor([tokens[1]]),
        beta=beta,
    )


def test_the_sigmoid_term_by_hand() -> None:
    # sigma(ln 3) = 3/4, sigma(-ln 3) = 1/4
    assert sigmoid_term(pairs(log(3), 0)).item() == pytest.approx(log(4 / 3))
    assert sigmoid_term(pairs(0, log(3))).item() == pytest.approx(log(4))


def test_the_squared_term_by_hand() -> None:
    # h = (0.6 / 2 - 0.3 / 3) / 0.1 = 2, and eq. 17 has (h - 1 / (2 * 0.1))^2 = (2 - 5)^2
    assert squared_term(pairs(0.6, 0.3, tokens=(2, 3))).item() == pytest.approx(9)
    # at its target of 5 a token, which is a reward of 0.5 a token, it asks for no more; beyond, it pulls back
    assert squared_term(pairs(1.0, 0.0, tokens=(2, 3))).item() == pytest.approx(0)
    assert squared_term(pairs(2.0, 0.0, tokens=(2, 3))).item() == pytest.approx(25)


def test_ipo_trains_from_its_start_and_its_card_says_so(tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data", [row(n) for n in range(2)])
    run = tmp_path / "run"
    summary = run_training(save_tiny_llava(tmp_path / "base"), data, run, config={"method": "ipo", "beta": 0.5})
    first = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    assert first["loss"] == pytest.approx(1, abs=1e-3)  # 1 / (4 * 0.5^2)
    assert summary.final["loss"] < 0.99
    assert "trained by IPO (arXiv 2310.12036)" in (run / "README.md").read_text()


@pytest.mark.parametrize("name", METHODS)
def test_a_pair_begins_where_the_table_says(name: str) -> None:
    method, beta = METHODS[name], 0.3
    written = method.pair_at_start.replace("log 2", "log(2)").replace("^", "**")
    stated = eval(written, {"log": log, "beta": beta})
    assert method.pair_term(pairs(0, 0, tokens=(3, 7), beta=beta)).item() == pytest.approx(stated)


@pytest.mark.parametrize("name", METHODS)
def test_a_pair_term_falls_as_the_chosen_response_gains(name: str) -> None:
    better, worse = (METHODS[name].pair_term(pairs(reward, 0.0)).item() for reward in (0.01, 0.0))
    assert better < worse


def test_what_is_left_of_a_method_without_blind_responses() -> None:
    assert left_without_blind("bpo") == "dpo"
    for name in METHODS:
        assert not METHODS[left_without_blind(name)].uses_blind


def test_a_method_that_is_not_in_the_table_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(TrainConfig, {"method": "simpo"}, where="options")
    assert str(refused.value) == f"options: method is 'simpo'; allowed: {', '.join(METHODS)}"


def test_command_line_configuration_and_demo_name_the_methods_of_the_table() -> None:
    assert TrainConfig().method == next(iter(METHODS))
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert "--method {" + ",".join(METHODS) + "}" in parser.format_help()
    assert {variant.method for variant in VARIANTS} <= set(METHODS)


def table_line(name: str, method: Method) -> str:
    """What docs/training.md says of a method."""
    cells = (
        f"`{name}`", method.title, f"`{method.equation}`", "yes" if method.uses_blind else "no", method.pair_at_start,
        f"[{method.paper}](https://arxiv.org/abs/{method.paper})",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def test_the_docs_have_the_table() -> None:
    lines = (DOCS / "training.md").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| `--method` |")) + 2
    end = next(number for number in range(start, len(lines)) if not lines[number].startswith("|"))
    assert lines[start:end] == [table_line(name, method) for name, method in METHODS.items()]


def test_the_table_is_read_without_torch() -> None:
    code = "import sys, blindpo.training.methods; print('torch' in sys.modules, 'numpy' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "False False\n"


def names_compared(source: str) -> list[int]:
    """Lines that compare with a method's name, or list some in a `Literal`."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        parts: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Literal"):
            parts = [node.slice]
        constants = [each for part in parts for each in ast.walk(part) if isinstance(each, ast.Constant)]
        lines += [each.lineno for each in constants if isinstance(each.value, str) and each.value in METHODS]
    return lines


def test_the_search_for_names_sees_what_it_should() -> None:
    assert names_compared('config.method == "bpo"') == [1]
    assert names_compared('x in ("dpo", "other")') == [1]
    assert names_compared('kind: Literal["bpo", "x"]') == [1]
    assert not names_compared('titles = {"bpo": 1}; f("dpo"); x == "base"')


def test_no_source_compares_with_a_methods_name() -> None:
    sources = sorted(PACKAGE.rglob("*.py"))
    assert len(sources) > 200
    assert not [f"{path.relative_to(PACKAGE)}:{line}" for path in sources for line in names_compared(path.read_text())]
