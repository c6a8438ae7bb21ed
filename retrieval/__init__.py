"""What ingest, training and serving share: types, catalog, text analysis, encoder, stores, fusion, search."""
