import numpy as np
import pytest
from adapters_for_tests import factors, near, write_lora

from eleven.errors import FamilyMismatch, FileError, UsageError
from eleven.finetunes.opening import open_finetune
from eleven.mix import Mix
from eleven.suggestions.probe import Band, Probe
from eleven.suggestions.suggesting import conclude, examine


def written(tmp_path, *sizes):
    return [
        write_lora(
            tmp_path / f"{seed}.safetensors", {name: (size * up, down) for name, (up, down) in factors(seed).items()}
        )
        for seed, size in enumerate(sizes)
    ]


def suggested(paths, probe=None, **more):
    return conclude(examine(paths), probe, **more)


def probed(gram, target=()):
    return Probe(
        (Band("all", 0.0, 1.0, tuple(map(tuple, np.asarray(gram, float))), tuple(target), float(len(target) > 0)),)
    )


@pytest.mark.parametrize(("count", "strength"), [(1, 1.0), (2, 0.7), (3, 0.48)])
def test_without_a_base_models_of_like_size_start_at_the_preset(count, strength, tmp_path):
    found = suggested(written(tmp_path, *[1.0] * count)).suggestion
    assert found.strengths == (strength,) * count
    assert found.total == pytest.approx(strength * count)
    assert found.overlap is None
    assert ("not known without a base" in found.reason) == (count > 1)


def test_order_of_files_does_not_matter(tmp_path):
    paths = written(tmp_path, 1.0, 0.1, 1.2)
    assert suggested(paths).suggestion.strengths == suggested(paths[::-1]).suggestion.strengths[::-1]


def test_a_redundant_pair_counts_as_one(tmp_path):
    paths = [*written(tmp_path, 1.0, 1.0), write_lora(tmp_path / "later.safetensors", near(factors(0), 0.1))]
    found = suggested(paths).suggestion
    assert found.strengths == (0.35, 0.7, 0.35)
    assert found.total == pytest.approx(1.4)
    assert found.reasons == ("shares one place with later", "an even share", "shares one place with 0")


def test_a_weak_model_starts_low_and_a_strong_one_lower(tmp_path):
    found = suggested(written(tmp_path, 1.0, 1.1, 0.1, 9.0)).suggestion
    assert found.strengths[2] == pytest.approx(0.3)
    assert found.strengths[3] < found.strengths[0] == found.strengths[1]
    assert found.reasons[2:] == ("weak: it changes little", "strong: it changes more than the others")


def test_with_a_base_the_total_follows_the_overlap(tmp_path):
    paths = written(tmp_path, 1.0, 1.0, 1.0)
    gram = 0.5 + 0.5 * np.eye(3)
    found = suggested(paths, probed(gram)).suggestion
    assert found.overlap == pytest.approx(0.5)
    assert found.strengths == (0.5, 0.5, 0.5)
    assert "1 · 3 / (1 + 2 · 0.50) ≈ 1.50" in found.reason
    assert suggested(paths, probed(gram), single_best=0.8).suggestion.total == pytest.approx(1.2)


def test_what_changes_predictions_most_starts_lower_and_the_total_stays(tmp_path):
    sizes = np.diag([1.0, 1.0, 1.5])
    found = suggested(written(tmp_path, 1.0, 1.0, 1.0), probed(sizes @ (0.5 + 0.5 * np.eye(3)) @ sizes)).suggestion
    assert found.strengths[2] < found.strengths[0]
    assert found.total == pytest.approx(1.5, abs=0.02)


def test_photos_decide_the_proportions_and_nobody_is_left_with_nothing(tmp_path):
    gram = 0.5 + 0.5 * np.eye(2)
    paths = written(tmp_path, 1.0, 1.0)
    found = suggested(paths, probed(gram, gram @ [0.4, 0.2])).suggestion
    assert found.by_photos
    assert found.strengths[0] / found.strengths[1] == pytest.approx((2 / 3 + 1 / 2) / (1 / 3 + 1 / 2), rel=0.02)
    against = suggested(paths, probed(gram, gram @ [0.4, -0.1])).suggestion
    assert against.strengths[1] / against.strengths[0] == pytest.approx(1 / 3, rel=0.02)


def test_a_stranger_is_set_aside_where_others_are_left(tmp_path):
    gram = [[1, 0.6, 0.1], [0.6, 1, 0.1], [0.1, 0.1, 1]]
    found = suggested(written(tmp_path, 1.0, 1.0, 1.0), probed(gram))
    assert found.suggestion.strengths == (0.62, 0.62, 0.0)
    assert found.suggestion.reasons[2] == "set aside: a stranger to the others"
    assert [part.file for part in found.mix().parts] == [
        str(tmp_path / "0.safetensors"),
        str(tmp_path / "1.safetensors"),
    ]


def test_the_total_is_bounded_where_nothing_is_shared(tmp_path):
    found = suggested(written(tmp_path, 1.0, 1.0, 1.0), probed(np.eye(3))).suggestion
    assert found.total == pytest.approx(1.8)
    assert found.reason.endswith("It holds only if all are of one concept.")
    alike = suggested(written(tmp_path, 1.0, 1.0), probed([[1, 0.8], [0.8, 1]])).suggestion
    assert "only if" not in alike.reason
    assert "is the most that is suggested" in found.reason


def test_the_mix_is_a_recipe_that_names_files_by_their_hashes(tmp_path):
    mix = suggested(written(tmp_path, 1.0, 1.0)).mix()
    assert Mix.from_toml(mix.to_toml()) == mix
    assert all(len(part.sha256) == 64 and part.strength == 0.7 for part in mix.parts)


def test_a_change_of_nothing_is_borne(tmp_path):
    found = suggested(written(tmp_path, 1.0, 0.0))
    assert found.suggestion.total > 0
    assert found.case.anatomy.norms[1] == 0


def test_files_that_cannot_be_mixed_are_refused(tmp_path):
    one = written(tmp_path, 1.0)[0]
    other = write_lora(tmp_path / "other.safetensors", factors(1, modules=("blocks.0.attn",)))
    with pytest.raises(FamilyMismatch, match=r"0.safetensors and other.safetensors have no layer in common"):
        examine([one, other])
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    with pytest.raises(FileError):
        examine([one, tmp_path / "junk.safetensors"])


def test_words_alone_have_no_total_and_a_mix_of_nothing_is_refused(tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"emb_params": torch.randn(2, 768)}, tmp_path / "word.safetensors")
    found = suggested([tmp_path / "word.safetensors"])
    assert found.suggestion.strengths == (1.0,)
    assert (found.suggestion.total, found.suggestion.reason) == (0, "Nothing here has a strength.")
    assert found.mix().parts[0].strength == 1


def test_files_are_let_go(tmp_path):
    paths = written(tmp_path, 1.0, 1.0)
    examine(paths)
    for path in paths:
        path.unlink()
    with pytest.raises(FileError):
        open_finetune(paths[0])
    with pytest.raises(UsageError, match="no band"):
        from eleven.suggestions.probe import overlap

        overlap(probed(np.eye(2)), "none")
