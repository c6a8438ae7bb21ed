"""The sub-commands of `tandem` that bring writing in and look after what is there."""
