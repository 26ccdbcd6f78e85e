"""Models as folders that `transformers.LlamaForCausalLM.from_pretrained` loads, written and read without it."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from dq.errors import TrainingError, cause_of
from dq.store.files import write_bytes_atomic, write_json_atomic
from dq.training.config import RunSpec
from dq.training.model import ROPE_BASE, Llama
from dq.training.operations import RMS_EPSILON


def save_hf(model: Llama, folder: Path, *, bos_id: int) -> None:
    """Write config.json and model.safetensors (float32); `save_tokenizer` writes the files beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": _as_hf(name, value, model) for name, value in model.state_dict().items()}
    write_bytes_atomic(folder / "model.safetensors", save(tensors, metadata={"format": "pt"}))
    write_json_atomic(folder / "config.json", _hf_config(model, bos_id=bos_id))


def load_hf(folder: Path, *, spec: RunSpec) -> Llama:
    """Read what `save_hf` wrote of a run.

    Raises:
        TrainingError: the file is not a model of this run.
    """
    model = Llama(spec.model_size, vocabulary_size=spec.vocabulary_size, context=spec.training.context)
    place = folder / "model.safetensors"
    try:
        tensors = load(place.read_bytes())
        model.load_state_dict({name: _from_hf(name, tensors[f"model.{name}"], model) for name in model.state_dict()})
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise TrainingError(
            f"{place}: not the model of this run ({cause_of(error)}); delete the run's folder to train it again"
        ) from None
    return model


def _as_hf(name: str, value: Tensor, model: Llama) -> Tensor:
    """Query and key rows go from neighbouring pairs (0 1)(2 3) to halves (0 2 ...)(1 3 ...)."""
    value = value.detach().to("cpu", torch.float32)
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return value.contiguous()
    rows_HPCD = value.view(model.size.heads, model.size.head_width // 2, 2, model.size.width)
    return rows_HPCD.transpose(1, 2).reshape(value.shape).contiguous()


def _from_hf(name: str, value: Tensor, model: Llama) -> Tensor:
    """The way back."""
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return value
    rows_HCPD = value.view(model.size.heads, 2, model.size.head_width // 2, model.size.width)
    return rows_HCPD.transpose(1, 2).reshape(value.shape)


def _hf_config(model: Llama, *, bos_id: int) -> dict[str, object]:
    size = model.size
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "bos_token_id": bos_id,
        "eos_token_id": bos_id,  # a document ends where the next begins
        "head_dim": size.head_width,
        "hidden_act": "silu",
        "hidden_size": size.width,
        "intermediate_size": size.feed_forward_width,
        "max_position_embeddings": model.context,
        "mlp_bias": False,
        "num_attention_heads": size.heads,
        "num_hidden_layers": size.layers,
        "num_key_value_heads": size.heads,
        "rms_norm_eps": RMS_EPSILON,
        "rope_theta": ROPE_BASE,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "vocab_size": model.vocabulary_size,
    }
