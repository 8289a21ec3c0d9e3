"""What a run does: the training loop, the pre-training tasks, fine-tuning."""
