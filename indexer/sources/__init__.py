"""Sources: each format turns bytes into documents."""
