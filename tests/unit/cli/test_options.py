"""Every key of a configuration is a flag with a help text and a default; old spellings name the new one."""

import argparse
import re
import subprocess
import sys
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import pytest

from blindpo.blinding.config import BlindConfig
from blindpo.building.config import BuildConfig
from blindpo.cli.main import COMMANDS, MOVED_COMMANDS, MOVED_FLAGS, main, make_parser
from blindpo.cli.options import add_common, add_config, default_words, read_config
from blindpo.errors import ConfigError
from blindpo.evaluation.config import EvaluateConfig, RejudgeConfig
from blindpo.evaluation.judge_check.columns import JudgeCheckConfig
from blindpo.evaluation.judges.options import ChatJudgeOptions
from blindpo.evaluation.suite.config import SuiteConfig
from blindpo.jobs.recipe import load_config
from blindpo.jobs.settings import RENAMED, settings_of
from blindpo.training.config import TrainConfig

CONFIGS: dict[str, type] = {
    "build": BuildConfig,
    "blind": BlindConfig,
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "rejudge": RejudgeConfig,
    "merge": RejudgeConfig,
    "suite": SuiteConfig,
    "judge-check": JudgeCheckConfig,
    "protocols": ChatJudgeOptions,
}


def parser_of(command: str) -> argparse.ArgumentParser:
    module = __import__(f"blindpo.cli.{COMMANDS[command].module}", fromlist=["add_arguments"])
    return make_parser(command, module)


@pytest.mark.parametrize("command", CONFIGS)
def test_every_key_is_a_flag_with_a_sentence_and_a_default(command: str) -> None:
    options = parser_of(command)._option_string_actions
    for setting in settings_of(CONFIGS[command]):
        action = options[f"--{setting.key}"]
        assert options[f"--{setting.key.replace('_', '-')}"] is action
        assert re.fullmatch(r"[A-Za-z0-9].{8,}[.]", setting.meaning), f"{setting.key}: {setting.meaning!r}"
        assert default_words(setting.default).removesuffix(")") in str(action.help).replace("%%", "%")
        assert "picture" not in setting.meaning


def test_the_commands_with_a_configuration_are_all_here() -> None:
    files = Path(sys.modules["blindpo.cli.main"].__file__ or "").parent
    with_config = {name for name, command in COMMANDS.items()
                   if "add_config(parser" in (files / f"{command.module}.py").read_text()}  # fmt: skip
    assert with_config == set(CONFIGS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_imports_no_torch(command: str) -> None:
    code = f"""
import sys
from blindpo.cli.main import main
assert main(["{command}", "--help"]) == 0
print([m for m in ("torch", "transformers", "datasets", "ray", "openai", "matplotlib") if m in sys.modules])
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"


def configurations_with(new: str) -> list[type]:
    return [cls for cls in CONFIGS.values() if new in {setting.key for setting in settings_of(cls)}]


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_spelling_is_refused_with_the_new_one(old: str) -> None:
    for cls in configurations_with(RENAMED[old]):
        with pytest.raises(ConfigError, match=rf"'{old}' is now called '{re.escape(RENAMED[old])}'"):
            load_config(cls, {old: "1"})


def test_every_new_spelling_is_a_key_of_some_command() -> None:
    assert [new for new in RENAMED.values() if not configurations_with(new)] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["probe", "d"], "'probe' is now called 'pairwise-rows'"),
        (["evaluate", "e", "--rejudge", "--judge", "j", "--out", "o"], "blindpo rejudge EVAL"),
        (["evaluate", "p", "q", "--merge", "--out", "o"], "blindpo merge PART"),
        (["evaluate", "--recipe", "r", "--models", "a=b", "--out", "o"], "blindpo suite --recipe"),
        (["blind", "p", "q", "--merge", "--out", "o"], "blindpo merge PART"),
        (["blind", "d", "--model", "m", "--mode", "swap", "--out", "o"], "--mode is now --view"),
        (["evaluate", "d", "--judge_base_url", "u", "--out", "o"], "--judge_base_url is now --judge_server.base_url"),
        (["build", "d", "--chat-url=u", "--out", "o"], "--chat-url is now --rewriter_server.base_url"),
        (["evaluate", "d", "--judge_server.base_ur", "u", "--out", "o"], "did you mean --judge_server.base_url?"),
        (["evaluate", "d", "--model", "m", "--out", "o", "--set", "model_server.retry=1"], "'model_server.retries'"),
        (["suite", "--models", "a=b", "--out", "o", "--set", "evaluate.views=text"], "keys of the suite itself now"),
        (["blind", "d", "--model", "m", "--view", "text", "--out", "o"], "blindpo blind: options: view is 'text'"),
    ],
)
def test_old_forms_and_mistyped_keys_say_what_to_write(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err
    assert set(MOVED_COMMANDS.values()) | set(MOVED_FLAGS) <= set(COMMANDS)


def read(cls: type, *words: str) -> Any:
    parser = argparse.ArgumentParser()
    add_config(parser, cls)
    add_common(parser, out=False)
    return read_config(cls, parser.parse_args(words), where="test")


def test_recipe_is_overridden_by_flags_and_flags_by_set(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("judge: chat:m\nnum_draws: 200\njudge_server: {base_url: r, retries: 1}\njudge_max_tokens: 9\n")
    words = ["--recipe", str(recipe), "--num-draws", "300", "--judge-server.base-url", "f", "--set", "num_draws=400"]
    config = read(RejudgeConfig, *words)
    assert (config.num_draws, config.judge_max_tokens) == (400, 9)
    assert (config.judge_server.base_url, config.judge_server.retries) == ("f", 1)


def test_a_flag_spells_truth_lists_nothing_and_mappings() -> None:
    assert read(TrainConfig, "--lora", "--lora_targets", "q_proj,v_proj", "--lora_r", "4").lora_targets == (
        "q_proj",
        "v_proj",
    )
    assert not read(TrainConfig, "--freeze-vision", "false").freeze_vision
    assert read(ChatJudgeOptions, "--judge_temperature", "null").judge_temperature is None
    assert read(ChatJudgeOptions, "--judge_server.extra", "{top_k: 5}").judge_server.extra == {"top_k": 5}
    with pytest.raises(ConfigError, match="method is 'ppo'; allowed: bpo, dpo, ipo"):
        read(TrainConfig, "--method", "ppo")


def test_a_default_is_shown_as_it_is_written() -> None:
    shown = [default_words(each) for each in (("a", "b"), True, None, "", {}, (), 0, MISSING)]
    assert shown == [
        "(default: a,b)", "(default: true)", "(default: none)", "(default: none)", "(default: none)", "(default: none)",
        "(default: 0)", "(required)",
    ]  # fmt: skip
