from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from llmbench.reporting.sparkline import sparkline


def test_a_gap_parts_the_line_and_the_dot_is_at_the_last_known() -> None:
    drawn = ET.fromstring(sparkline([1.0, 2.0, None, 3.0, None]))
    lines = [line.get("points") for line in drawn.iter("polyline")]
    assert lines == ["3.0,21.0 31.5,12.0", "87.5,3.0 88.5,3.0"]
    dot = next(drawn.iter("circle"))
    assert (dot.get("cx"), dot.get("cy")) == ("88.5", "3.0")


def test_values_that_do_not_vary_lie_in_the_middle() -> None:
    assert {y for _, y in re.findall(r"([\d.]+),([\d.]+)", sparkline([2.0, 2.0]))} == {"12.0"}


def test_a_scale_given_holds() -> None:
    drawn = ET.fromstring(sparkline([0.0, 9.0], 0.0, 3.0))
    assert next(drawn.iter("polyline")).get("points") == "3.0,21.0 117.0,3.0"
    assert sparkline([]) == ""
