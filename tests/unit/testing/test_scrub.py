from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor.testing.scrub import MARK, Scrubber

# Assembled at run time, so that no scanner takes this file for a leak.
A = "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zA"
D = "0123456789abcdef0123456789abcdef"
SECRETS = {
    "anthropic": f"sk-ant-api03-{A}",
    "openai": f"sk-{A}",
    "openai project": f"sk-proj-{A}_{A}",
    "openrouter": f"sk-or-v1-{D}",
    "groq": f"gsk_{A}",
    "xai": f"xai-{A}",
    "hugging face": f"hf_{A}",
    "google": f"AIza{A}xyz",
    "perplexity": f"pplx-{A}",
    "replicate": f"r8_{A}",
    "nvidia": f"nvapi-{A}",
    "github": f"ghp_{A}ABCD",
    "github app": f"ghs_{A}ABCD",
    "github fine": f"github_pat_{A}_{A}",
    "gitlab": f"glpat-{A[:20]}",
    "npm": f"npm_{A}ABCD",
    "pypi": f"pypi-{A}{A}",
    "docker": f"dckr_pat_{A[:27]}",
    "atlassian": f"ATATT{A}=",
    "aws": "AKIA" + "ABCDEFGHIJKLMNOP",
    "aws session": "ASIA" + "ABCDEFGHIJKLMNOP",
    "google token": f"ya29.{A}",
    "google client": f"GOCSPX-{A}",
    "digital ocean": f"dop_v1_{D}{D}",
    "databricks": f"dapi{D}",
    "vault": f"hvs.{A}",
    "doppler": f"dp.pt.{A}",
    "slack bot": "xoxb" + f"-123456789012-{A}",
    "slack app": "xapp" + f"-1-{A}",
    "stripe": "sk_" + f"live_{A}",
    "stripe restricted": "rk_" + f"test_{A}",
    "stripe hook": f"whsec_{A}",
    "sendgrid": f"SG.{A[:22]}.{A}",
    "shopify": f"shpat_{D}",
    "square": f"sq0atp-{A}",
    "mailgun": f"key-{D}",
    "linear": f"lin_api_{A}",
    "telegram": f"123456789:AA{A}xyz",
    "age": f"AGE-SECRET-KEY-1{A.upper()}",
    "twilio": f"SK{D}",
    "jwt": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{A}",
}
AROUND = {
    "bearer": ("Authorization: Bearer ", A),
    "basic": ("Authorization: Basic ", "dXNlcjpwYXNzd29yZA=="),
    "url": ("postgres://victor:", "hunter2"),
    "quoted": ('password = "', "correct-horse"),
    "json": ('{"api_key": "', "0f9e8d7c6b"),
    "json in json": ('{\\"client_secret\\": \\"', "0f9e8d7c6b"),
    "variable": ("export AWS_SECRET_ACCESS_KEY=", "wJalrXUtnFEMI/K7MDENG/bPxRfiCY123"),
    "azure": ("AccountKey=", f"{A}+/{A}=="),
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_every_kind_of_key_is_cut_out_wherever_it_stands(secret: str) -> None:
    scrub = Scrubber()
    assert scrub.text(secret) == MARK
    assert scrub.text(f"Use {secret}, please.") == f"Use {MARK}, please."
    assert secret not in json.dumps(scrub.value({"a": [f"x={secret}\n", {"b": secret}]}))


@pytest.mark.parametrize(("before", "secret"), AROUND.values(), ids=AROUND)
def test_a_secret_is_known_by_what_it_stands_under(before: str, secret: str) -> None:
    end = "@host/db" if before.startswith("postgres") else '"' if before.endswith('"') else " end"
    cleaned = Scrubber().text(f"{before}{secret}{end}")
    assert secret not in cleaned
    assert cleaned.startswith(before)
    assert MARK in cleaned


def test_a_private_key_goes_as_a_whole_also_when_it_is_cut_off() -> None:
    begin = "-----BEGIN RSA " + "PRIVATE KEY-----"
    whole = f"{begin}\n{A}\n{A}\n-----END RSA PRIVATE KEY-----"
    assert Scrubber().text(f"a {whole} b") == f"a {MARK} b"
    assert Scrubber().text(f"a {begin}\n{A}") == f"a {MARK}"


def test_known_values_are_cut_out_and_short_ones_left() -> None:
    scrub = Scrubber(["my own secret", "abc"])
    assert scrub.text("say my own secret, abc") == f"say {MARK}, abc"


def test_values_under_telling_keys_go_whatever_they_look_like() -> None:
    form = {"token": "harmless-looking", "max_tokens": 5, "tokenizer": {"password": "plain words"}}
    assert Scrubber().value(form) == {
        "token": MARK,
        "max_tokens": 5,
        "tokenizer": {"password": MARK},
    }


@pytest.mark.parametrize(
    "text",
    [
        "The password is checked in check_password(token).",
        "def get_token(self) -> str: return self.token",
        "api_key = os.environ['OPENAI_API_KEY']",
        "sk-learn is a library; the task-runner is not",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "https://example.com/a:b/c@d",
        f"already {MARK}, password = {MARK}",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Scrubber().text(text) == text


@pytest.mark.parametrize("unit", ["a", "a.", "eyJ", "sk-", "token_", "x://", "key: ", "=", "\n"])
def test_a_long_text_takes_time_in_proportion_to_its_length(unit: str) -> None:
    def seconds(length: int) -> float:
        text = (unit * length)[:length]
        begun = time.process_time()
        Scrubber().text(text)
        return time.process_time() - begun

    # Quadratic work would take a hundred times as long for ten times the text.
    assert seconds(200_000) < 40 * max(seconds(20_000), 0.002)


@given(st.data())
def test_a_secret_in_pieces_is_cut_out_of_all_of_them(data: st.DataObject) -> None:
    secret = data.draw(st.sampled_from(sorted(SECRETS.values())))
    text = f"Take {secret} and go."
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    edges = [0, *cuts, len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    cleaned = Scrubber().pieces(pieces)
    assert len(cleaned) == len(pieces)
    assert "".join(cleaned) == f"Take {MARK} and go."


@given(st.text())
def test_scrubbing_twice_is_scrubbing_once(text: str) -> None:
    scrub = Scrubber(["known-secret"])
    once = scrub.text(text + " known-secret")
    assert scrub.text(once) == once
