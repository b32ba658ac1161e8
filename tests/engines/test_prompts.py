"""A1111's prompt syntax, read."""

from __future__ import annotations

import pytest

from eleven.engines.prompts import is_weighted, plain_text, read_prompt, unread, weighted


@pytest.mark.parametrize(
    ("prompt", "pieces"),
    [
        ("a cat", [("a cat", 1.0)]),
        ("", []),
        ("a (red) hat", [("a ", 1.0), ("red", 1.1), (" hat", 1.0)]),
        ("a ((red)) hat", [("a ", 1.0), ("red", 1.21), (" hat", 1.0)]),
        ("[red] hat", [("red", 1 / 1.1), (" hat", 1.0)]),
        ("(red:1.5) hat", [("red", 1.5), (" hat", 1.0)]),
        ("(red: .5 )", [("red", 0.5)]),
        ("(red:-1)", [("red", -1.0)]),
        ("((red:1.5) hat)", [("red", 1.65), (" hat", 1.1)]),
        ("(a [b:1.2] c)", [("a ", 1.1), ("b:1.2", 1.0), (" c", 1.1)]),
        (r"\(red\) \[hat\]", [("(red) [hat]", 1.0)]),
        (r"(a\:b\)", [("a\\:b)", 1.1)]),
        ("(open", [("open", 1.1)]),
        ("[open", [("open", 1 / 1.1)]),
        ("shut) more]", [("shut) more]", 1.0)]),
        ("at 3:30 (pm)", [("at 3:30 ", 1.0), ("pm", 1.1)]),
        ("(:1.3)", []),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
    ],
)
def test_weights_are_read_as_a1111_reads_them(prompt, pieces):
    found = weighted(prompt)
    assert [piece.text for piece in found] == [text for text, _ in pieces]
    assert [piece.weight for piece in found] == pytest.approx([weight for _, weight in pieces])


def test_break_begins_a_new_section_and_no_other_word_does():
    assert [[piece.text for piece in section] for section in read_prompt("a BREAK (b) BREAKs")] == [
        ["a"],
        ["b", " BREAKs"],
    ]
    assert read_prompt("BREAK a") == ((), read_prompt("a")[0])
    assert read_prompt("") == ((),)


def test_encoders_without_weights_get_the_words_alone():
    assert plain_text(r"a (red:1.3) BREAK [hat] \(x\)") == "a red hat (x)"
    assert is_weighted("a (b)")
    assert not is_weighted(r"a \(b\) (c:1)")


@pytest.mark.parametrize("prompt", ["a [b:c:0.5]", "[cow|horse] here", "<lora:name:0.7> a"])
def test_what_is_not_acted_on_is_told(prompt):
    assert len(unread(prompt)) == 1
    assert not unread(r"a [b] (c:1.2) \[d|e\]")
