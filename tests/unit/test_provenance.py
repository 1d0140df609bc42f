"""What counts as named by a person, and what does not."""

from __future__ import annotations

import pytest

from victor.provenance import Named, hosts_in, texts_in


def named(*words: str) -> Named:
    known = Named()
    for text in words:
        known.hear(text)
    return known


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("Mail it to jane.long@example.com.", "jane.long@example.com"),
        ("Mail it to Jane.Long@Example.com", "jane.long@example.com"),
        ("Pay DE89370400440532013000, please", "DE89370400440532013000"),
        ("Post it in 'general'", "general"),
        ("Read Alice's inbox", "Alice"),
        ("Call it 'Follow-up   meeting'", "Follow-up meeting"),
        ("put it on www.example.com.They know", "www.example.com"),
        ("the file \uff52eport.txt", "report.txt"),
        ("to ev\u200be@example.com", "eve@example.com"),
        ("pay to 12345", "12345"),
    ],
)
def test_a_value_is_named_where_it_stands_in_a_persons_words(words: str, value: str) -> None:
    assert named(words).has(value)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("Mail it to jane@example.com.au", "jane@example.com"),
        ("Mail it to mary-jane@example.com", "jane@example.com"),
        ("Mail it to j.jane@example.com", "jane@example.com"),
        ("Mail it to jane@example.company", "jane@example.com"),
        ("What do we do on June 13?", "13"),
        ("Add Charlie to the channel External_0", "External"),
        ("Read docs/notes.txt", "notes.txt"),
        ("Read notes.txt", "notes.txt/../secret"),
        ("a follow-up", "up"),
        ("Mail it to kim@strasse.example", "kim@stra\u00dfe.example"),
        ("anything", ""),
        ("anything", "\u200b"),
    ],
)
def test_a_part_of_another_word_is_not_named(words: str, value: str) -> None:
    assert not named(words).has(value)


def test_what_is_vouched_for_is_named_as_a_whole_only() -> None:
    known = named()
    known.vouch(("7", "Bob Smith", "https://docs.example.org/a"))
    assert known.has("7")
    assert known.has("bob smith")
    assert not known.has("Bob")
    assert known.host("docs.example.org")
    known.vouch(("jane@evil.example", "see evil.example"))
    assert not known.host("evil.example")


def test_a_copy_learns_on_its_own() -> None:
    first = named("general")
    first.vouch(("7", "www.example.org"))
    second = first.copy()
    second.hear("random")
    second.vouch(("8",))
    assert second.has("general")
    assert second.has("7")
    assert second.host("WWW.example.org")
    assert not first.has("random")
    assert not first.has("8")


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("See https://Docs.Example.org/a, please", {"docs.example.org"}),
        ("See example.org.", {"example.org"}),
        ("http://127.0.0.1:80/x and http://[::1]/", {"127.0.0.1", "[::1]"}),
        ("http://example.org@evil.example/", {"evil.example"}),
        ("http://evil.example\\@example.org/", {"evil.example"}),
        ("evil\u3002example", {"evil.example"}),
        ("mark.black-2134@example.org", set()),
        ("ftp://files.", {"files"}),
        ("i.e. 3.5 or so", set()),
        ("see evil.xn--p1ai", {"evil.xn--p1ai"}),
    ],
)
def test_hosts_are_found_in_words(text: str, hosts: set[str]) -> None:
    assert hosts_in(text) == hosts


@pytest.mark.parametrize("name", ["setup.sh", "README.md", "src/main.rs", "app.py"])
def test_a_file_that_is_named_is_no_machine_to_talk_to(name: str) -> None:
    known, host = named(f"Look at {name}, please"), name.rpartition("/")[2].lower()
    assert not known.host(host)
    assert known.mentions(host)
    known.hear(f"and at https://{host}/x")
    assert known.host(host)


def test_a_machine_with_the_ending_of_a_file_can_be_named() -> None:
    assert named("See www.zoo.rs").host("www.zoo.rs")
    assert named("See example.org").mentions("example.org")


def test_texts_are_found_however_deep_they_lie() -> None:
    argument = {"to": ["a", {"b": "c"}], "n": 7, "share": 1.5, "yes": True, "no": None}
    assert list(texts_in(argument)) == ["a", "c", "7", "1.5"]
    assert list(texts_in({"kim@example.org": "Kim", "name": "x"})) == [
        "kim@example.org",
        "Kim",
        "x",
    ]
