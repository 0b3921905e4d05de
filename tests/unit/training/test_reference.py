"""The cache of reference log-probabilities: shared, added to, and refused where it is another's or stale."""

import json
from pathlib import Path

import pytest
from tests.tiny_models import save_tiny_llava
from tests.training_rows import row, run_training, write_rows

from blindpo.errors import ConfigError


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "data", [row(n) for n in range(5)])


def test_a_shared_reference_is_reused_and_added_to(base: Path, data: Path, tmp_path: Path) -> None:
    config = {"reference_cache": str(tmp_path / "cache")}

    def stored() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (tmp_path / "cache").iterdir()}

    run_training(base, data, tmp_path / "one", config=config, max_steps=1)
    first = stored()
    run_training(base, data, tmp_path / "dpo", config={**config, "method": "dpo"}, max_steps=1)
    assert stored() == first  # the pairs are shared
    run_training(base, write_rows(tmp_path / "more", [row(n) for n in range(6)]), tmp_path / "two", config=config)
    added = stored()
    assert {name: added[name] for name in first} == first
    assert len(added) == len(first) + 1
    assert len(json.loads(added[next(iter(set(added) - set(first)))])) == 3  # the sixth row's responses alone


def test_a_cache_in_half_precision_is_held_to_less_than_a_nat(base: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    data = write_rows(tmp_path / "data", [row(n, chosen="a ball " * 8, rejected="no ball " * 8) for n in range(2)])
    for name in ("one", "two"):
        run_training(base, data, tmp_path / name, config={"reference_cache": str(cache)}, max_steps=1, bf16=True)
    values = next(cache.glob("values-*.json"))
    values.write_text(json.dumps({key: value - 1 for key, value in json.loads(values.read_text()).items()}))
    with pytest.raises(ConfigError, match="stale or was changed"):
        run_training(base, data, tmp_path / "three", config={"reference_cache": str(cache)}, max_steps=1, bf16=True)


def test_a_foreign_or_changed_reference_cache_is_refused(base: Path, data: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    config = {"reference_cache": str(cache)}
    run_training(base, data, tmp_path / "one", config=config, max_steps=1)
    other = save_tiny_llava(tmp_path / "other", seed=1)
    with pytest.raises(ConfigError, match=r"of another reference \(it differs in: model\); give another folder"):
        run_training(other, data, tmp_path / "two", config=config, max_steps=1)
    values = next(cache.glob("values-*.json"))
    values.write_text(json.dumps({key: value - 1 for key, value in json.loads(values.read_text()).items()}))
    with pytest.raises(ConfigError, match="stale or was changed"):
        run_training(base, data, tmp_path / "three", config=config, max_steps=1)
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed/.17.cache.json").write_text("{")  # what a kill amid the first write leaves
    run_training(base, data, tmp_path / "five", config={"reference_cache": str(tmp_path / "killed")}, max_steps=1)
    with pytest.raises(ConfigError, match=r"differs in: attention, sequences\)"):
        run_training(base, data, tmp_path / "separate", config={**config, "packing": "off"}, max_steps=1)
    with pytest.raises(ConfigError, match="holds something else"):
        run_training(base, data, tmp_path / "four", config={"reference_cache": str(base)}, max_steps=1)
