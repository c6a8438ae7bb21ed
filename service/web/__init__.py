"""The web page: rendered here, one stylesheet, one script that makes it livelier, nothing from another host."""
