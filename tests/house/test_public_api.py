"""`blindpo.train` and the other stages are functions, whatever was imported before, and importing blindpo is cheap."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import blindpo
from blindpo.errors import UsageError


class Nobody:
    """An answerer that is never asked."""

    name = fingerprint = "nobody"
    revision = drawn = source = None
    views = ()


STAGES = ("build", "blind", "train", "evaluate", "report")
RESERVED = frozenset({*STAGES, "load", "compare", "plan"})
"""Names of functions of the package, now or soon."""


def import_everything() -> list[str]:
    """Import every module of the package, but those whose optional package is not installed."""
    names = []
    for module in pkgutil.walk_packages(blindpo.__path__, "blindpo."):
        if not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except ImportError as error:
                if module.name.startswith("blindpo.evaluation.inspect"):
                    continue
                raise AssertionError(f"{module.name} cannot be imported") from error
            names.append(module.name)
    return names


def test_each_stage_can_be_called_after_every_module_was_imported() -> None:
    assert len(import_everything()) > 150
    for stage in STAGES:
        assert callable(getattr(blindpo, stage)), f"blindpo.{stage} is {getattr(blindpo, stage)!r}"
    assert set(STAGES) == set(blindpo.__all__) <= set(dir(blindpo))


def test_each_stage_is_called_after_every_module_was_imported(tmp_path: Path) -> None:
    import_everything()
    from blindpo.blinding.config import BlindConfig
    from blindpo.building.config import BuildConfig
    from blindpo.evaluation.config import EvaluateConfig
    from blindpo.models.vlm.source import ModelSource
    from blindpo.training.config import TrainConfig

    nowhere = tmp_path / "nowhere"
    model = ModelSource(given="nowhere", path=nowhere)
    calls = {
        "build": lambda: blindpo.build(BuildConfig(), nowhere, tmp_path / "out"),
        "blind": lambda: blindpo.blind(BlindConfig(), nowhere, Nobody(), tmp_path / "out"),
        "train": lambda: blindpo.train(TrainConfig(), {"use_cpu": True}, data=nowhere, model=model, out=tmp_path / "o"),
        "evaluate": lambda: blindpo.evaluate(EvaluateConfig(judge="none"), nowhere, Nobody(), tmp_path / "out"),
        "report": lambda: blindpo.report([nowhere], tmp_path / "page.html"),
    }
    for stage in STAGES:
        with pytest.raises(UsageError, match="nowhere"):
            calls[stage]()


def test_no_module_beside_the_stages_has_the_name_of_one() -> None:
    assert not RESERVED & {module.name for module in pkgutil.iter_modules(blindpo.__path__)}


def test_a_stage_is_the_function_that_the_command_calls() -> None:
    from blindpo.reporting.page import write_report

    assert blindpo.report is write_report
    with pytest.raises(AttributeError, match="no attribute 'rain'"):
        _ = blindpo.rain


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import sys, blindpo; print(sorted({'torch', 'transformers', 'numpy', 'pyarrow'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
