"""The house tests let go of their syntax trees, which each collection of garbage would walk."""

import gc
from collections.abc import Iterator

import pytest

from tests.house.source import importers, tree


@pytest.fixture(scope="package", autouse=True)
def _trees_end_with_the_house_tests() -> Iterator[None]:
    yield
    tree.cache_clear()
    importers.cache_clear()
    gc.collect()
