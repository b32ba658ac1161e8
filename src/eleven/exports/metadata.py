"""What a baked file says about itself: ModelSpec, the keys that users' tools read, and the recipe."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import cast

from eleven.combination import Combination
from eleven.exports.forms import Form
from eleven.exports.proof import Proof
from eleven.exports.words import bundled_name
from eleven.files.sidecars import trigger_words
from eleven.layers.family import Family

RESOLUTIONS = {"sd1": "512x512", "sd2": "768x768", "lab": "96x96"}
"""Of families that are not trained at 1024x1024."""
VERSIONS = {
    "sd1": "sd_v1",
    "sd2": "sd_v2_768_v",
    "sdxl": "sdxl_base_v1-0",
    "sd3": "sd3_m",
    "sd35-medium": "sd3_m",
    "sd35-large": "sd3_l",
    "flux": "flux1",
    "lab": "eleven_lab_v1",
}
"""`ss_base_model_version` as kohya writes it; Forge and A1111 tell SDXL by it."""
FLUX = "https://github.com/black-forest-labs/flux"
STABILITY = "https://github.com/Stability-AI/generative-models"
NETWORKS = {
    "lora": {"ss_network_module": "networks.lora"},
    "lokr": {"ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "lokr"}'},
}
"""What kohya's scripts say of the technique; every one that a form can be stored as."""
RECIPE, PROOF = "eleven.recipe", "eleven.proof"
TAGS = "ss_tag_frequency"


def adapter_metadata(combination: Combination, title: str, form: Form) -> dict[str, str]:
    """Everything that is known before the tensors are: no date, so that the same mix gives the same bytes.

    ModelSpec 1.0.1 and kohya's `ss_` keys; unless the form is private the parts' training tags, which may tell folder
    names.
    """
    found = common_metadata(combination, title, bundled=form.dialect != "diffusers")
    family = combination.family
    if family is not None:
        found |= _about_family(family, combination, form.dialect)
    found |= NETWORKS[form.technique] | {"ss_output_name": title}
    tags = {} if form.private else _tags(finetune.container.metadata for _, finetune in combination.parts)
    return _encodable(found | ({TAGS: json.dumps(tags, ensure_ascii=False)} if tags else {}))


def common_metadata(combination: Combination, title: str, *, bundled: bool = True) -> dict[str, str]:
    """Title, what it was merged from, how to call the concept, and the recipe with its parts in that order.

    Embeddings' words are left out where they are not `bundled`, since the file would not know them.
    """
    sorted_mix = combination.mix.model_copy(update={"parts": tuple(part for part, _ in combination.parts)})
    found = {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.title": title,
        "modelspec.merged_from": ", ".join(finetune.path.stem for _, finetune in combination.parts),
        RECIPE: json.dumps(sorted_mix.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":")),
    }
    phrases = _phrases(combination, bundled=bundled)
    licences = _all(combination, "modelspec.license")
    found |= {"modelspec.trigger_phrase": ", ".join(phrases)} if phrases else {}
    return _encodable(found | ({"modelspec.license": ", ".join(licences)} if licences else {}))


def _encodable(texts: Mapping[str, str]) -> dict[str, str]:
    """The same without halves of characters, which names of files may hold and headers may not."""
    return {
        key.encode("utf-8", "replace").decode(): text.encode("utf-8", "replace").decode() for key, text in texts.items()
    }


def proof_metadata(proof: Proof, digest: str) -> dict[str, str]:
    """What is known once the tensors are written: ranks, hashes and the error."""
    ranks = [int(layer.form.removeprefix("rank ")) for layer in proof.layers if layer.form.startswith("rank ")]
    rank = str(max(ranks, default=0))
    return {
        "ss_network_dim": rank,
        "ss_network_alpha": rank,
        "sshs_model_hash": digest,
        "modelspec.hash_sha256": f"0x{digest}",
        PROOF: summary_text(proof),
    }


def summary_text(proof: Proof) -> str:
    """The proof's totals as a line of JSON."""
    return json.dumps(proof.summary(), separators=(",", ":"))


def _about_family(family: Family, combination: Combination, dialect: str) -> dict[str, str]:
    implementation = "diffusers" if dialect == "diffusers" else FLUX if family.name == "flux" else STABILITY
    versions = _all(combination, "ss_base_model_version")
    version = versions[0] if len(versions) == 1 else VERSIONS.get(family.name)
    resolutions = _all(combination, "modelspec.resolution")
    found = {
        "modelspec.architecture": f"{family.architecture}/lora",
        "modelspec.implementation": implementation,
        "modelspec.resolution": resolutions[0] if resolutions else RESOLUTIONS.get(family.name, "1024x1024"),
    }
    return found | ({"ss_base_model_version": version} if version else {})


def _all(combination: Combination, key: str) -> list[str]:
    values = (finetune.container.metadata.get(key) for _, finetune in combination.parts)
    return list(dict.fromkeys(value for value in values if value))


def _phrases(combination: Combination, *, bundled: bool) -> list[str]:
    """The words that each part teaches, and what its surest source calls it by: of training tags the first alone."""
    found: list[str] = []
    taught = {text for _, tune in combination.parts for word in tune.words for text in (word.token, bundled_name(word))}
    for _, finetune in combination.parts if bundled else (pair for pair in combination.parts if pair[1].modules):
        found += [bundled_name(word) for word in finetune.words]
        words = trigger_words(finetune.path, finetune.container.metadata).words
        surest = [word.text for word in words if word.source == words[0].source]
        found += surest[:1] if words and words[0].source == TAGS else surest
    return [text for text in dict.fromkeys(found) if bundled or text not in taught]


def _tags(parts: Iterable[Mapping[str, str]]) -> dict[str, dict[str, int]]:
    """kohya's counts of tags by folder, added over all parts; what is malformed was reported by `inspect`."""
    total: dict[str, Counter[str]] = {}
    for metadata in parts:
        for folder, tags in _table(metadata.get(TAGS, "{}")).items():
            if isinstance(tags, dict):
                counts = cast("dict[str, object]", tags)
                total.setdefault(folder, Counter()).update(
                    {tag: count for tag, count in counts.items() if isinstance(count, int)}
                )
    return {folder: dict(sorted(counts.items())) for folder, counts in sorted(total.items())}


def _table(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
