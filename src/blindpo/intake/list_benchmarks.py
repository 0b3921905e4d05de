"""`blindpo benchmarks`: what there is, and what of it lies on this disk."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from blindpo.datasets.benchmarks.base import Benchmark
from blindpo.datasets.benchmarks.download import CHECKSUMS, Download
from blindpo.datasets.benchmarks.table import BENCHMARKS
from blindpo.errors import SourceError


def list_benchmarks(data: Path | None = None) -> list[dict[str, Any]]:
    """One record a benchmark: its card, and with `data` what `data/NAME` holds ("on_disk", "missing")."""
    return [_record(benchmark, data) for benchmark in BENCHMARKS.values()]


def _record(benchmark: Benchmark, data: Path | None) -> dict[str, Any]:
    card = {**asdict(benchmark.card), "verified": benchmark.card.verified}
    card.pop("sha256")
    return card if data is None else {**card, **_on_disk(benchmark, data / benchmark.card.name)}


def _on_disk(benchmark: Benchmark, folder: Path) -> dict[str, Any]:
    """Whether the files are there, from names and sizes alone: nothing large is read for a list."""
    fetch = benchmark.card.fetch_into(folder)
    found: dict[str, Any] = {"folder": str(folder), "fetch": fetch, "on_disk": "nothing", "files": [], "missing": None}
    if not folder.is_dir():
        return found
    download = Download(folder, fetch, benchmark.card.sha256)
    try:
        names = benchmark.files(download)
    except SourceError as error:
        return {**found, "on_disk": "incomplete", "missing": str(error)}
    lacking = [name for name in names if not download.has(name)]
    if lacking:
        return {**found, "on_disk": "incomplete", "files": names, "missing": str(download.missing(lacking[0]))}
    used = (folder / CHECKSUMS).is_file()
    return {**found, "on_disk": "files, imported before" if used else "files", "files": names}
