from __future__ import annotations

import pytest

from llmbench.reporting.clean import UNDESCRIBED, clean_html

SCROLL = '<div class="scroll" role="group" tabindex="0" aria-label='
COLUMNS = '<thead><tr><td></td><th scope="col">a</th></tr></thead>'
ROW = '<tbody><tr><th scope="row">0</th></tr></tbody>'
END = "</td></tr></tbody>"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (
            "<table><tr><th scope='col'>a</th></tr></table>",
            f'{SCROLL}"Table"><table><tbody><tr><th scope="col">a</th></tr></tbody></table></div>',
        ),
        (  # as pandas writes it
            "<table><thead><tr><th></th><th>a</th></tr></thead><tbody><tr><th>0</th></tr></tbody></table>",
            f'{SCROLL}"Table"><table>{COLUMNS}{ROW}</table></div>',
        ),
        (
            "<table><tr><td><table><caption>in</caption></table></table>after",
            f'{SCROLL}"in"><table><tbody><tr><td><table><caption>in</caption></table>{END}</table></div>after',
        ),
        (
            "<table><caption>\"><b x='&quot;y=1'>&lt;i&gt; &amp;</b></caption></table>",
            f"{SCROLL}'\">&lt;i> &amp;'><table><caption>\"&gt;<b>&lt;i&gt; &amp;</b></caption></table></div>",
        ),
        ("</table></div>x<table>", f'x{SCROLL}"Table"><table></table></div>'),
        (
            "<img src='data:image/png;base64,AA=='>",
            f'<img src="data:image/png;base64,AA==" alt="{UNDESCRIBED}">',
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
