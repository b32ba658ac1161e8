"""DreamBooth: every layer of the denoiser (and of the text encoders) learns; the exact difference is written."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from eleven.bases.architectures import Pipeline
from eleven.tensors import Tensor
from eleven.training.naming import modules_of, names_for
from eleven.training.plan import TrainingPlan
from eleven.training.trainee import Trainee

WEIGHT, BIAS, NORM, NORM_BIAS = "diff", "diff_b", "w_norm", "b_norm"


def unfreeze(pipeline: Pipeline, plan: TrainingPlan) -> Trainee:
    """The pipeline's own weights as what learns, embeddings of words left out; Ruiz 2022, arXiv 2208.12242."""
    names = names_for(pipeline, frozenset({WEIGHT, BIAS, NORM, NORM_BIAS}))
    rates = {True: plan.text_learning_rate, False: plan.learning_rate}
    found = {
        (component, module, suffix): one
        for component, module, suffix, one in _parameters(pipeline)
        if rates[component.startswith("text_encoder")] > 0
    }
    before = {at: one.detach().clone() for at, one in found.items()}
    for one in found.values():
        one.requires_grad_(True)

    def tensors() -> dict[str, Tensor]:
        moved = {at: (one.detach().float() - before[at].float()).cpu() for at, one in found.items()}
        return {names.key(*at): one for at, one in moved.items()}

    def release() -> None:
        with torch.no_grad():
            for at, one in found.items():
                one.copy_(before[at]).requires_grad_(False)
                one.grad = None

    return Trainee(
        {f"{component}.{module}/{suffix}": one for (component, module, suffix), one in found.items()},
        {f"{at[0]}.{at[1]}/{at[2]}": rates[at[0].startswith("text_encoder")] for at in found},
        tensors,
        release,
        texts=any(component.startswith("text_encoder") for component, *_ in found),
        family=names.family,
        metadata={"ss_network_module": "lycoris.kohya", "ss_network_args": '{"algo": "full"}'},
    )


def _parameters(pipeline: Pipeline) -> Iterator[tuple[str, str, str, torch.nn.Parameter]]:
    """Weights and biases of layers and norms, each with its name in files."""
    for component, name, module in modules_of(pipeline):
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if not isinstance(weight, torch.nn.Parameter) or isinstance(module, torch.nn.Embedding):
            continue
        norm = weight.dim() == 1
        yield component, name, NORM if norm else WEIGHT, weight
        if isinstance(bias, torch.nn.Parameter):
            yield component, name, NORM_BIAS if norm else BIAS, bias
