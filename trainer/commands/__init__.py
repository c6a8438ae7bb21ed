"""The trainer's sub-commands of `tandem`, one file each."""
