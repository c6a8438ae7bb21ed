"""The sub-commands of `tandem` that search and serve."""
