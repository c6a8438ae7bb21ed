"""Progress of an ingest in words."""

from indexer.ingest import Progress


def described(progress: Progress) -> str:
    """Return progress in words: documents, chunks, chunks a second, time left."""
    share = 100 * progress.done_bytes / progress.total_bytes if progress.total_bytes else 100
    left = "" if progress.left_s is None else f", {duration(progress.left_s)} left"
    return (
        f"{share:3.0f} %  {progress.documents} documents, {progress.chunks} chunks "
        f"({progress.chunks_per_s:.0f} chunks/s){left}"
    )


def duration(seconds: float) -> str:
    """Return seconds for people: 45 s, 3 min, 1 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
