"""Loads exported models with the programs they are made for; knows nothing of the trainer (see exports.py).

Prints one line of JSON for each folder: who loaded it, the largest difference of a logit, weights left or missing.
"""

import json
import os
import sys
from pathlib import Path

os.environ.update(RWKV_V7_ON="1", RWKV_JIT_ON="0", RWKV_CUDA_ON="0", HF_HUB_OFFLINE="1")

import torch
from rwkv.model import RWKV
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXT = "héllo\n\tdef x(): 漢字 🎉  end"


@torch.no_grad()
def main(folders: list[Path]) -> None:
    """One line for each."""
    for folder in folders:
        expected = torch.load(folder / "expected.pt", weights_only=True)
        left: list[str] = []
        if (folder / f"{folder.name}.pth").exists():
            model = RWKV(model=str(folder / folder.name), strategy="cpu fp32")
            found = torch.stack([model.forward(row.tolist(), None, full_output=True)[0] for row in expected["ids"]])
        else:
            named = {"gguf_file": f"{folder.name}.gguf"} if (folder / f"{folder.name}.gguf").exists() else {}
            model, info = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, output_loading_info=True, **named
            )
            left = [*info["missing_keys"], *info["unexpected_keys"]]
            found = model.eval()(expected["ids"], use_cache=False).logits
            if not named:
                tokenizer = AutoTokenizer.from_pretrained(folder)
                assert tokenizer(TEXT)["input_ids"] == list(TEXT.encode())
                assert tokenizer.decode(list(TEXT.encode())) == TEXT
        difference = float((found - expected["logits"]).abs().max())
        row = {"model": folder.name, "loaded_by": type(model).__name__, "difference": difference, "left": left}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
