"""The peer of `bench train --peers`: PyTorch, transformers and PEFT, one JSON line in and out a command.

{"op": "load", "dir", "rank", "alpha", "threads"} -> {"torch", "transformers", "peft", "parameters"}
{"op": "step", "rows": [[token]]} -> {"ms", "loss", "grad_norm"}
{"op": "peak"} -> {"bytes"}
"""

import json
import resource
import sys
import time

import torch
import transformers
from transformers import AutoModelForCausalLM


def peak_bytes():
    try:
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith("VmHWM:"))
            return int(line.split()[1]) * 1024
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Trainer:
    def __init__(self, request):
        torch.set_num_threads(request["threads"])
        model = AutoModelForCausalLM.from_pretrained(request["dir"], dtype=torch.float32)
        self.peft = None
        if request["rank"]:
            import peft

            self.peft = peft.__version__
            lora = peft.LoraConfig(
                r=request["rank"], lora_alpha=request["alpha"], target_modules="all-linear"
            )
            model = peft.get_peft_model(model, lora)
        model.train()
        model.config.use_cache = False
        self.model = model
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.trained, lr=1e-4, betas=(0.9, 0.95), weight_decay=0.01, fused=True
        )

    def facts(self):
        return {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": self.peft,
            "parameters": sum(p.numel() for p in self.trained),
        }

    def step(self, rows):
        started = time.perf_counter()
        ids = torch.tensor(rows)
        logits = self.model(input_ids=ids[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        ms = (time.perf_counter() - started) * 1000
        return {"ms": ms, "loss": loss.item(), "grad_norm": norm.item()}


def main():
    trainer = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "load":
            trainer = Trainer(request)
            answer = trainer.facts()
        elif request["op"] == "step":
            answer = trainer.step(request["rows"])
        else:
            answer = {"bytes": peak_bytes()}
        print(json.dumps(answer), flush=True)


main()
