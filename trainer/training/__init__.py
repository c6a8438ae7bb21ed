"""The steps around a fine-tuning: what is trained on, what judges it, and what came of it."""
