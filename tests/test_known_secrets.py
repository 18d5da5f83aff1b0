"""Whatever a secret is and however it is written, it is not shown; and a secret that is a word breaks no sentence."""

import base64
import html
import json
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stocksync import known_secrets
from stocksync.known_secrets import MASK, hidden, hidden_in_document, remember

SIGNS = st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc", "Cf"])
SECRETS = st.text(SIGNS, min_size=7).map(lambda text: text + "-")
WRITTEN = {
    "as it is": lambda secret: secret,
    "in a URL": lambda secret: f"postgresql://shop:{quote(secret, safe='')}@db/shop",
    "in a form": lambda secret: f"a=1&client_secret={quote_plus(secret)}&b=2",
    "hardly quoted": lambda secret: quote(secret, safe="!$&'()*,;=:@/?+~"),
    "in lower case": lambda secret: quote(secret, safe="").replace("%C3", "%c3").replace("%2F", "%2f"),
    "in JSON": lambda secret: json.dumps({"why": f"got {secret}!"}),
    "in JSON of Unicode": lambda secret: json.dumps([secret], ensure_ascii=False),
    "in JSON in JSON": lambda secret: json.dumps({"body": json.dumps({"k": secret})}),
    "in a repr": lambda secret: repr({"k": secret, 'it\'s "k"': f"'\"{secret}"}),
    "in bytes": lambda secret: repr(secret.encode()),
    "in HTML": html.escape,
    "in Basic": lambda secret: "Basic " + base64.b64encode(f"shop:{secret}".encode()).decode(),
    "in Base64 of more": lambda secret: base64.urlsafe_b64encode(f"a{secret}, and more".encode()).decode(),
}


@pytest.mark.parametrize("how", WRITTEN)
@settings(deadline=None, max_examples=25)
@given(secret=SECRETS, before=st.text(max_size=4), after=st.text(max_size=4))
def test_a_secret_is_hidden_however_it_is_written(how, secret, before, after):
    known_secrets.forget()
    text = WRITTEN[how](secret)
    remember(secret)
    shown = hidden(f"{before}{text}{after}")
    assert MASK in shown
    assert text not in shown or text == MASK
    assert secret not in shown


@settings(deadline=None, max_examples=25)
@given(st.lists(SECRETS, min_size=2, max_size=5), st.randoms())
def test_of_several_that_overlap_none_is_shown(secrets, random):
    known_secrets.forget()
    longer = [first + second for first, second in pairwise(secrets)]
    everything = secrets + longer
    random.shuffle(everything)
    remember(*everything)
    shown = hidden(" | ".join(everything))
    assert not any(secret in shown for secret in everything)


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("postgres", "postgresql://postgres:x@h/d: user postgres", "postgresql://***:x@h/d: user ***"),
        ("shop", "shopping in 'shop'", "shopping in '***'"),
        ("20261129", "x20261129 is not 20261129", "x20261129 is not ***"),
        ("kL9", "kL9", "kL9"),
        ("", "nothing", "nothing"),
    ],
)
def test_a_secret_that_is_a_word_is_hidden_as_a_whole_word(secret, text, shown):
    remember(secret)
    assert hidden(text) == shown


def test_a_page_keeps_its_syntax_whatever_the_password_is():
    remember("content", "the-key-nobody-may-see")
    page = "<meta name=viewport content=x> the-key-nobody-may-see"
    assert hidden_in_document(page) == "<meta name=viewport content=x> ***"


def test_without_secrets_text_stays_as_it_is():
    assert hidden("postgresql://shop:pw@db") == "postgresql://shop:pw@db"
