"""The proof's arithmetic: errors by layer and in total, what is kept, and the tolerance."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eleven.errors import ProofFailed
from eleven.exports.proof import LayerProof, Proof

SQUARES = st.floats(0, 1e6)
LAYERS = st.lists(st.tuples(SQUARES, SQUARES), max_size=8)


@given(LAYERS)
def test_total_error_is_that_of_all_layers_side_by_side(layers):
    proof = Proof(tuple(LayerProof(str(at), asked, missed, "full") for at, (asked, missed) in enumerate(layers)))
    asked, missed = (sum(column) for column in zip(*layers, strict=True)) if layers else (0, 0)
    wanted = math.sqrt(missed / asked) if asked else (math.inf if missed else 0)
    assert proof.error == pytest.approx(wanted)
    assert proof.kept == pytest.approx(max(0, 1 - proof.error**2), abs=1e-9)
    assert [layer.error for layer in proof.worst(3)] == sorted((layer.error for layer in proof.layers), reverse=True)[
        :3
    ]


def test_text_holds_totals_layers_and_what_was_skipped():
    proof = Proof((LayerProof("a.weight", 4.0, 1.0, "rank 2"),), (("b.weight", "no place"),))
    told = json.loads(proof.to_json())
    assert told["error"] == 0.5
    assert told["kept"] == 0.75
    assert (told["applied"], told["not_applied"]) == (1, 1)
    assert told["layers"] == [{"layer": "a.weight", "asked": 4.0, "missed": 1.0, "form": "rank 2", "error": 0.5}]
    assert told["skipped"] == {"b.weight": "no place"}


def test_tolerance_is_an_upper_bound_and_names_the_worst_layer():
    proof = Proof((LayerProof("a", 3.0, 0.0, "full"), LayerProof("b", 1.0, 1.0, "nothing")))
    proof.require(0.5, "out.safetensors")
    with pytest.raises(
        ProofFailed, match=r"out.safetensors: relative error 5.00e-01 is above .*worst layer: b.*was written"
    ):
        proof.require(0.4999, "out.safetensors")
    with pytest.raises(ProofFailed, match=r"Use --dtype fp32\. Or raise --tolerance; the file was written"):
        proof.require(0.4, "out.safetensors", remedy="Use --dtype fp32.")
    with pytest.raises(ProofFailed):
        proof.require(float("nan"), "out.safetensors")
    Proof(()).require(0.0, "out.safetensors")


@pytest.mark.parametrize("missed", [1.0, math.inf, math.nan])
def test_errors_without_a_number_are_null_in_json(missed):
    def refuse(name):
        raise AssertionError(name)

    proof = Proof((LayerProof("a", 0.0, missed, "full"),))
    told = json.loads(proof.to_json(), parse_constant=refuse)
    assert told["error"] is None
    assert told["layers"][0]["error"] is None
    assert json.loads(json.dumps(proof.summary()), parse_constant=refuse)["error"] is None
