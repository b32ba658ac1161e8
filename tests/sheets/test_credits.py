from hashlib import sha256
from pathlib import Path

import torch
from pictures_for_tests import mix_of, part
from safetensors.torch import save_file

from eleven.engines.engine import Shot
from eleven.files.hashes import hashes, identity
from eleven.mix import Mix, Part
from eleven.mix_text import Tag
from eleven.sheets.credits import Model, infotext_of, model_of
from eleven.sheets.infotext import hashes_of, read_infotext
from eleven.sheets.recipe import Origin, Recipe
from models import one_layer, write_layer

BASE = Origin("sd15", "ab" * 32, "float32", "abababab00")
SHOT = Shot("a photo of eve", 8)


def told(mix, models, base=BASE, shot=SHOT):
    """The infotext as another program reads it."""
    return read_infotext(str(infotext_of(Recipe(base, mix, shot), (64, 48), models)))


def known(*parts, kind="lora"):
    return {one.sha256: Model(kind, one.file.removesuffix(".safetensors"), "0123456789ab") for one in parts}


def test_adapter_is_named_by_its_file_and_kohyas_hash(tmp_path):
    path = write_layer(tmp_path / "eve.v1.safetensors", one_layer()["lora"])
    data = path.read_bytes()
    after = data[8 + int.from_bytes(data[:8], "little") :]
    assert model_of(path) == Model("lora", "eve.v1", sha256(after).hexdigest()[:12])


def test_hash_that_the_file_stores_is_the_one_that_a1111_shows(tmp_path):
    path = write_layer(tmp_path / "eve.safetensors", one_layer()["lora"], sshs_model_hash="f" * 64)
    assert model_of(path).hash == "f" * 12


def test_embedding_has_the_hash_of_its_file(tmp_path):
    path = tmp_path / "eve-style.safetensors"
    save_file({"emb_params": torch.ones(2, 768)}, path)
    assert model_of(path) == Model("embedding", "eve-style", identity(path)[:12])


def test_old_adapter_has_the_hash_of_its_file(tmp_path):
    path = tmp_path / "eve.pt"
    torch.save({f"net.0.proj.{key}": value for key, value in one_layer()["lora"].items()}, path)
    assert model_of(path) == Model("lora", "eve", hashes(path)["sha256"][:12])


def test_folder_has_no_hash_that_others_know(tmp_path):
    folder = tmp_path / "eve"
    folder.mkdir()
    write_layer(folder / "pytorch_lora_weights.safetensors", one_layer()["lora"])
    assert model_of(folder) == Model("lora", "eve", "")


def test_everything_that_a1111_needs_stands_in_its_fields():
    eve, bob = part("eve", 0.7, te=0.4), part("bob", 0.5)
    text = told(mix_of(eve, bob), known(eve, bob))
    assert text.tags == (Tag("eve", 0.4, 0.7), Tag("bob", 0.5, 0.5))
    assert text.prompt == "a photo of eve"
    assert hashes_of(text) == {"eve": "0123456789ab", "bob": "0123456789ab"}
    fields = text.parameters
    assert (fields["Model"], fields["Model hash"], fields["Size"]) == ("sd15", "abababab00", "64x48")
    assert fields["Version"].startswith("eleven ")
    assert fields["RNG"] == "CPU"
    assert "Not in tags" not in fields
    assert list(fields)[-1] == "Version"


def test_strength_of_the_denoiser_alone_is_told_in_both_numbers():
    eve = part("eve", 0.4, unet=0.7)
    assert told(mix_of(eve), known(eve)).tags == (Tag("eve", 0.4, 0.7),)


def test_embeddings_have_hashes_and_no_tag():
    style = part("style")
    text = told(mix_of(style), known(style, kind="embedding"))
    assert (text.tags, hashes_of(text, "TI hashes")) == ((), {"style": "0123456789ab"})
    assert "Lora hashes" not in text.parameters


def test_what_tags_cannot_tell_is_listed():
    eve, tuned = part("eve", 0.7, IN04=0.0, te1=0.2).model_copy(update={"rise": 0.3}), part("tuned", 0.5)
    models = known(eve) | known(tuned, kind="checkpoint")
    mix = Mix(parts=(eve, tuned), method="ties")
    text = told(mix, models)
    assert text.parameters["Not in tags"] == "method ties, eve IN04=0 te1=0.2 rise=0.3, tuned 0.5 (a whole model)"
    assert text.parameters["Mix"] == mix.digest[:10]
    assert text.tags == (Tag("eve", 0.7, 0.7),)


def test_parts_without_strength_are_not_told():
    eve, idle = part("eve", 0.7), part("idle", 0.0)
    text = told(mix_of(eve, idle), known(eve, idle))
    assert [tag.name for tag in text.tags] == ["eve"]
    assert list(hashes_of(text)) == ["eve"]


def test_base_alone_has_no_models():
    text = told(None, {}, Origin("folder", "ab" * 32))
    assert text.tags == ()
    assert not {"Lora hashes", "TI hashes", "Mix", "Model hash"} & set(text.parameters)
    assert text.parameters["Model"] == "folder"


def test_name_that_would_break_its_tag_is_told_elsewhere():
    odd = part("odd")
    text = told(mix_of(odd), {odd.sha256: Model("lora", "eve, 2: x", "0123456789ab")})
    assert text.tags == ()
    assert text.parameters["Not in tags"] == "eve, 2: x 1 (a name that breaks tags)"
    assert hashes_of(text) == {"eve 2 x": "0123456789ab"}


def test_a_part_is_found_again_in_the_folder_of_models(tmp_path):
    from eleven.mix_text import parse_mix

    path = write_layer(tmp_path / "eve.safetensors", one_layer()["lora"])
    eve = Part(file=str(path), sha256=identity(path), strength=0.7, at={"te": 0.4})
    text = str(infotext_of(Recipe(BASE, mix_of(eve), SHOT), (64, 64), {eve.sha256: model_of(Path(eve.file))}))
    again = parse_mix([text.splitlines()[0]], folders=[tmp_path])
    assert (again.parts[0].strength, again.parts[0].at) == (0.7, {"te": 0.4})
    assert Path(again.parts[0].file) == path
