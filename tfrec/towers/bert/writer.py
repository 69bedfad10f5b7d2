"""Writes a BERT as a folder in Hugging Face layout, which `text.bert` takes."""

import shutil
from pathlib import Path

import numpy as np
import safetensors.numpy

from tfrec.files import atomic_folder, write_json
from tfrec.towers.bert.importer import hugging_face_tensors
from tfrec.towers.bert.policies import merge_updates
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.weights import (
    CONFIG_FILE,
    TOKENIZER_CONFIG_FILE,
    VOCABULARY_FILE,
    WEIGHTS_FILE,
)


def write_bert(tower: BertTextTower, folder: Path) -> None:
    """Writes the BERT of `tower` as it is; an existing folder is replaced as a whole.

    Low-rank updates become part of the weights, in the tower as in the file.

    Args:
        tower: any policy but ``adapter``, whose layers a BERT does not have.
        folder: gets ``config.json``, ``model.safetensors``, ``vocab.txt`` and
            ``tokenizer_config.json``.

    Raises:
        ValueError: for policy ``adapter``.
        UserError: if the disk is full or the folder may not be written to.
    """
    if tower.policy == "adapter":
        raise ValueError("adapters cannot be written as a BERT. Received: policy=adapter")
    merge_updates(tower.backbone)
    settings = tower.settings
    tokenizer = {
        "do_lower_case": settings.lowercase,
        "strip_accents": settings.strip_accents,
        "tokenize_chinese_chars": settings.split_cjk,
    }
    with atomic_folder(folder) as temporary:
        write_json(temporary / CONFIG_FILE, tower.architecture.to_hugging_face())
        write_json(temporary / TOKENIZER_CONFIG_FILE, tokenizer)
        tensors = hugging_face_tensors(tower.backbone)
        safetensors.numpy.save_file(
            {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()},
            temporary / WEIGHTS_FILE,
            metadata={"format": "pt"},
        )
        shutil.copyfile(tower.tokenizer.vocabulary_path, temporary / VOCABULARY_FILE)
