"""Hostile files read in a process of its own, which may hang, swell or die without the one that asked."""
