"""The trainer's exports in the programs they are made for: same logits for random bytes, to 1e-4.

    python bench/exports.py [--work DIR]

Models of random weights are exported, then loaded by transformers (NanoChat, Llama, Mamba, Mamba2, NemotronH, and Llama
from GGUF) and by the package rwkv, in an environment of their own that is made in DIR and kept. Prints one line for
each and a line of JSON; exits with 1 where a logit differs by more.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from interop_servers import environment_of
from torch import nn

from trainer.bytes import VOCABULARY
from trainer.config import DataConfig, ModelConfig, RunConfig
from trainer.export.write import Format, export
from trainer.model import LanguageModel
from trainer.shape import shape_of

CLOSE = 1e-4
REQUIREMENTS = ("torch==2.13.0", "transformers", "accelerate", "gguf", "rwkv", "numpy")
CASES: dict[str, tuple[Format, dict[str, object]]] = {
    "transformer": ("hf", {"recipe": "transformer"}),
    "llama": ("llama", {"recipe": "llama"}),
    "llama-gguf": ("gguf", {"recipe": "llama"}),
    "mamba": ("hf", {"recipe": "mamba", "mlp_width": 0, "logit_cap": 0.0}),
    "mamba2": ("hf", {"recipe": "mamba2", "mlp_width": 0, "logit_cap": 0.0}),
    "mamba2-with-mlp": ("hf", {"recipe": "mamba2", "logit_cap": 0.0}),
    "rwkv7": ("rwkv", {"recipe": "rwkv7", "norm": "layer", "logit_cap": 0.0}),
}


@torch.no_grad()
def exported(name: str, form: Format, options: dict[str, object], folder: Path) -> None:
    """A model of random weights, its export, and what it says to random ids."""
    config = ModelConfig(**options)  # type: ignore[arg-type]  # the options of CASES
    model = LanguageModel(shape_of(config, context=256)).eval()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.08)
    for weight in model.parameters():
        if weight.ndim == 1:
            weight.add_(0.05 * torch.randn_like(weight))
    ids = torch.randint(0, VOCABULARY, (2, 200))
    export(model, RunConfig(name, DataConfig("none"), config), form, folder)
    torch.save({"ids": ids, "logits": model(ids)[0]}, folder / "expected.pt")


def main() -> int:
    """0 when every program says what the trainer says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "ghostd-exports")
    work: Path = parser.parse_args().work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    python = environment_of(work, "venv", *REQUIREMENTS)
    torch.manual_seed(0)
    for name, (form, options) in CASES.items():
        exported(name, form, options, work / "models" / name)
    reader = [
        str(python),
        str(Path(__file__).with_name("exports_reader.py")),
        *(str(work / "models" / name) for name in CASES),
    ]
    said = subprocess.run(reader, check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    for row in rows:
        print(f"{row['model']:<18}{row['loaded_by']:<24}{row['difference']:.1e}")
    good = len(rows) == len(CASES) and all(row["difference"] <= CLOSE and not row["left"] for row in rows)
    print(json.dumps({"benchmark": "exports", "close": CLOSE, "good": good, "rows": rows}))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
