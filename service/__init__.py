"""The REST service and the `tandem` command that assembles every package's sub-commands."""
