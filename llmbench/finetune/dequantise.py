"""A .gguf file as a folder that transformers, peft and vLLM read: its weights dequantised to float32."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from llmbench.errors import ConfigError
from llmbench.providers.local_jobs import jobs_folder
from llmbench.providers.model_files import file_sha256

__all__ = ["dequantised"]


def dequantised(gguf: Path) -> Path:
    """The folder of that model, made once for each content of the file.

    float32, so that no precision is lost beyond what the quantised file has lost already: 4 bytes a
    parameter. The tokenizer and the chat template come from the file too. Needs the extra `train`.
    """
    folder = jobs_folder() / "bases" / f"{gguf.stem}-{file_sha256(gguf)[:16]}"
    if (folder / "config.json").is_file():
        return folder
    new = folder.with_name(f"{folder.name}.{os.getpid()}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        _write(gguf, new)
        new.replace(folder)
    except OSError:
        if not (folder / "config.json").is_file():  # else another process was faster
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return folder


def _write(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(**where)
        model: Any = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    except (ValueError, NotImplementedError, KeyError) as error:
        raise ConfigError(
            f"transformers cannot read {gguf.name} ({error}); give the folder of the original model instead."
        ) from error
    # transformers refuses to save what it takes for quantised, and it is quantised no longer.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = folder / "config.json"
    text = json.loads(config.read_text("utf-8"))
    text["_name_or_path"] = gguf.stem  # not a path of this machine
    config.write_text(json.dumps(text, indent=2) + "\n", encoding="utf-8")
