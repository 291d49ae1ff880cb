"""The text in HTML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernelway.cli.show.html_text import text_of_html

TABLE = """
<div>
<style scoped> .dataframe td { vertical-align: top; } </style>
<table border="1" class="dataframe">
  <thead>
    <tr style="text-align: right;"><th></th><th>name</th><th>age</th></tr>
  </thead>
  <tbody>
    <tr><th>0</th><td>Ada <b>Lovelace</b></td><td>36</td></tr>
    <tr><th>1</th><td>藤原</td><td>5</td></tr>
  </tbody>
</table>
<p>2 rows &amp; 2 columns</p>
</div>
"""


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain words", "plain words"),
        ("<b>bold</b> and <i>so on</i>", "bold and so on"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("a<br>b", "a\nb"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("x &lt; y &amp;&amp; z", "x < y && z"),
        ("<script>alert(1)</script><div id='plot'></div>", ""),
        ("<style>p {}</style>text", "text"),
        ("<p>  much \n  space </p>", "much space"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>10</td></tr></table>after", "1   2\n10\nafter"),
        ("<table><tr><td>a<br>b</td><td><p>c</p></td></tr></table>", "a b  c"),
        ("<td>no table</td>", "no table"),
        (TABLE, "   name          age\n0  Ada Lovelace  36\n1  藤原          5\n2 rows & 2 columns"),
    ],
)
def test_html_is_read(html: str, text: str) -> None:
    assert text_of_html(html) == text


@given(st.text(st.sampled_from("<>/tdrableihp &;x\n\"'="), max_size=200))
def test_anything_can_be_read(html: str) -> None:
    assert isinstance(text_of_html(html), str)
