"""Fine-tuning in a child process: what the parent needs, without torch. The child begins at trainer/finetune.py."""

from trainer.finetuning.in_subprocess import (
    Estimate,
    Finetuned,
    TrainingInterrupted,
    estimate_in_subprocess,
    finetune_in_subprocess,
)

__all__ = ["Estimate", "Finetuned", "TrainingInterrupted", "estimate_in_subprocess", "finetune_in_subprocess"]
