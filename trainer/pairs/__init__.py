"""Pairs of a query and the passage that answers it: where they come from, what is wrong with some, what is beside them.

Mined pairs are asked by the collection itself. They train a model on what its readers may ask, so they need not measure
anything; they must be many, and nearly all of them must be right.
"""
