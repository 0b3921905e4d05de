"""Rooms are cut by meaning: files and functions stay readable, and no scrap of a file has one reader next door."""

import ast
import warnings
from pathlib import Path
from typing import Final

import pytest

from tests.house.source import MODULES, PACKAGE, TESTS, dotted, importers, name, room, tree

MANY_LINES, MOST_LINES = 500, 800
MOST_FUNCTION_LINES = 60
SCRAP_LINES = 120

PLUG_IN: Final = "one of several behind a table: the next one is a file beside it"
SCIENCE: Final = "pure science, worked by hand in its own test"
ALONE: Final = {
    "answer/chat.py": "one of several answerers, imported only where it answers",
    "answer/from_file.py": "one of several answerers, imported only where it answers",
    "building/rephrase.py": "a stage of the pipeline, and the paper's rule, shown by examples",
    "building/accept.py": "a table of checks: the next rule is a function and an entry",
    "cli/blind.py": "a command: one file for each",
    "demo/instruction.py": "the base's training data, which the docs describe; pretrain.py is its training",
    "demo/search.py": "another run than the story: the search of its settings",
    "demo/texts.py": "data: every title and sentence that the page shows about the demo",
    "demo/tiny_vlm.py": "the model; pretrain.py is its training",
    "evaluation/inspect/tasks.py": "Inspect finds tasks through registry.py, which imports them only",
    "evaluation/judge_check/correcting.py": "the corrected rates, without the files and columns that run.py reads",
    "evaluation/judge_check/evals.py": "one of two readers: tables.py reads CSV files, this one EVAL folders",
    "evaluation/judges/guards/llama_guard.py": PLUG_IN,
    "evaluation/judges/guards/llava_guard.py": PLUG_IN,
    "evaluation/judges/guards/md_judge.py": PLUG_IN,
    "evaluation/judges/guards/qwen3guard.py": PLUG_IN,
    "evaluation/judges/panel.py": PLUG_IN,
    "evaluation/protocols/published_figures.py": "data: the figures of papers, each with its source",
    "evaluation/protocols/rates.py": SCIENCE,
    "images/page_types.py": "rules alone, without the network: each can be read and mended",
    "images/rate_limit.py": "without the network: the clock and the sleep are its arguments",
    "models/chat/in_flight.py": "threads and a budget, and nothing of HTTP",
    "stats/multiplicity.py": SCIENCE,
    "stats/power.py": SCIENCE,
    "training/output/card.py": "a pure function from figures to the text of the model card",
    "training/preflight/off_policy.py": "one question with its own figures: how far from the policy the responses are",
    "training/preflight/trial.py": "the trial step; memory.py has the formulas",
}
"""Files under 120 lines with one importer, in the same folder, that stay files all the same, each with its reason."""


@pytest.mark.parametrize("path", MODULES + TESTS, ids=name)
def test_a_file_has_at_most_800_lines_and_says_what_it_is(path: Path) -> None:
    length = path.read_text().count("\n")
    assert length <= MOST_LINES, f"{length} lines: cut the file by meaning"
    if length > MANY_LINES:
        warnings.warn(f"{name(path)} has {length} lines; from {MANY_LINES} on, look for a cut by meaning", stacklevel=1)
    assert ast.get_docstring(tree(path)), "no module docstring"


@pytest.mark.parametrize("path", MODULES + TESTS, ids=name)
def test_a_function_has_at_most_60_lines_and_four_positional_arguments(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MOST_FUNCTION_LINES, f"{node.name} has {length} lines"
            if path in MODULES:
                positional = [a.arg for a in node.args.args if a.arg not in {"self", "cls"}]
                assert len(positional) <= 4, f"{node.name} takes {positional}"


def scraps() -> dict[str, str]:
    """Small files with one importer, in their own folder: the file, and who imports it."""
    paths = {dotted(path): path for path in MODULES if path.name != "__init__.py"}
    return {
        room(path): room(paths[importer])
        for module, path in paths.items()
        if path.read_text().count("\n") < SCRAP_LINES and len(importers()[module]) == 1
        for importer in importers()[module]
        if importer in paths and paths[importer].parent == path.parent
    }


def test_a_small_file_with_one_importer_beside_it_is_merged_or_has_a_reason() -> None:
    unexplained = {file: importer for file, importer in scraps().items() if file not in ALONE}
    assert not unexplained, f"merge each into its importer, or give a reason in ALONE: {unexplained}"


def test_the_list_of_small_files_names_no_file_that_is_gone() -> None:
    assert not [file for file in ALONE if not (PACKAGE / file).is_file()]
