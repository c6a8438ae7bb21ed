"""Work that takes minutes or hours: asked for, queued, carried out by a worker, followed, cancelled, resumed."""
