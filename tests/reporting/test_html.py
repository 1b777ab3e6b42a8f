from __future__ import annotations

import pytest

from llmbench.reporting.html import clean_html


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (
            "<table><tr><th scope='col'>a</th></tr></table>",
            '<table><tbody><tr><th scope="col">a</th></tr></tbody></table>',
        ),
        ("<script>alert(1)</script>kept", "kept"),
        ("<style>body{}</style><b>kept</b>", "<b>kept</b>"),
        ("<SCRIPT src=x>never closed", ""),
        ("<p onclick='x()' style='color: red; position: fixed'>a</p>", '<p style="color: red;">a</p>'),
        ("<a href='javascript:x()'>a</a>", "<a>a</a>"),
        ("<a href='java\tscript:x()'>a</a>", "<a>a</a>"),
        ("<a href='data:text/html,x'>a</a>", "<a>a</a>"),
        ("<a href='https://a.test/b'>a</a>", '<a href="https://a.test/b">a</a>'),
        ("<a href='tables/'>a</a>", '<a href="tables/">a</a>'),
        ("<img src='http://a.test/pixel.png' alt='a>b'>after", "after"),
        (
            "<img src='data:image/svg+xml;base64,AA==' alt='x'>",
            '<img src="data:image/svg+xml;base64,AA==" alt="x">',
        ),
        ("<img src='data:text/html;base64,AA=='>", ""),
        ("<iframe src='x'>in</iframe><form><input>go</form>", "go"),
        ("<svg onload=x()><circle/></svg>", ""),
        ("<!-- note -->", ""),
    ],
)
def test_clean_html(markup: str, expected: str) -> None:
    assert clean_html(markup) == expected
