"""Evaluation, and fine-tuning that has to prove itself. Torch is imported inside this package only."""
