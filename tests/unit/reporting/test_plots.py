"""The figures are well-formed, and every point is where its numbers say."""

import re
from pathlib import Path
from xml.etree import ElementTree

from tests.unit.reporting.folders import measure

from blindpo.reporting.load import Run
from blindpo.reporting.plots import Point, safety_figure, scatter_points, training_figures


def test_a_model_stands_where_its_numbers_say() -> None:
    svg = safety_figure([Point("a<b>", (0.5, 0.25, 0.75), (1.0, 0.5, 1.0))])
    ElementTree.fromstring(svg)
    # the plot is 350 wide from 50 and 270 high from 32: the middle is 225, full safety is the upper edge
    assert 'd="M137.5,32.0H312.5M225.0,167.0V32.0"' in svg
    assert "translate(225.0,32.0)" in svg
    assert "a&lt;b&gt;" in svg and "style" not in svg


def test_a_model_without_one_of_the_two_has_no_point() -> None:
    both = {"safety_rate": measure(0.5), "over_refusal": measure(0.5)}
    points = scatter_points({"a": both, "b": {**both, "over_refusal": measure(None)}, "c": {}})
    assert [point.name for point in points] == ["a"]


def test_panels_without_data_are_left_out_and_seeds_share_a_panel() -> None:
    metrics = tuple({"step": float(step), "rewards/accuracies": step / 10} for step in (0, 10))
    runs = [Run(path=Path(name), metrics=metrics) for name in ("a", "b")]
    (panel,) = training_figures(runs)
    ElementTree.fromstring(panel)
    # the panel is 246 wide from 44 and 130 high from 26, accuracies always from 0 to 1
    assert re.findall(r'points="([^"]*)"', panel) == ["44.0,156.0 290.0,26.0"] * 2
    assert panel.count("over rejected") == 1


def test_a_flat_line_of_one_step_is_drawn() -> None:
    (panel,) = training_figures([Run(path=Path("a"), metrics=({"step": 3.0, "rewards/chosen": 2.0},))])
    assert 'points="44.0,91.0"' in panel
