"""One object that gives access to every part of the catalog."""

from functools import cached_property
from typing import TYPE_CHECKING

from retrieval.catalog.changes import Changes
from retrieval.catalog.chunks import Chunks
from retrieval.catalog.collections import Collections
from retrieval.catalog.database import Database
from retrieval.catalog.documents import Documents
from retrieval.catalog.embeddings import Embeddings
from retrieval.catalog.models import Models
from retrieval.catalog.moments import MomentsTable
from retrieval.catalog.vocabulary import Vocabulary

if TYPE_CHECKING:
    from retrieval.catalog.ballots import Ballots
    from retrieval.catalog.idempotency import Idempotency
    from retrieval.catalog.jobs import Jobs
    from retrieval.catalog.judgments import Judgments
    from retrieval.catalog.keys import Keys
    from retrieval.catalog.pairs import Pairs
    from retrieval.catalog.reading import Reading
    from retrieval.catalog.runs import Runs
    from retrieval.catalog.schedules import Schedules
    from retrieval.catalog.searches import Searches
    from retrieval.catalog.sources import Sources
    from retrieval.catalog.trainings import Trainings
    from retrieval.catalog.verdicts import Verdicts
    from retrieval.catalog.votes import Votes


class Catalog:
    """The catalog of one home. Thread-safe; any number of processes may hold one."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.collections = Collections(database)
        self.documents = Documents(database)
        self.chunks = Chunks(database)
        self.embeddings = Embeddings(database)
        self.changes = Changes(database)
        self.vocabulary = Vocabulary(database)
        self.moments = MomentsTable(database)
        self.models = Models(database)

    @cached_property
    def judgments(self) -> "Judgments":
        """Evaluation sets; loaded when first asked for, which searching never does."""
        from retrieval.catalog.judgments import Judgments

        return Judgments(self.database)

    @cached_property
    def runs(self) -> "Runs":
        """Runs that were kept; loaded when first asked for."""
        from retrieval.catalog.runs import Runs

        return Runs(self.database)

    @cached_property
    def pairs(self) -> "Pairs":
        """What models are trained on; loaded when first asked for."""
        from retrieval.catalog.pairs import Pairs

        return Pairs(self.database)

    @cached_property
    def verdicts(self) -> "Verdicts":
        """Verdicts that were reached; loaded when first asked for."""
        from retrieval.catalog.verdicts import Verdicts

        return Verdicts(self.database)

    @cached_property
    def votes(self) -> "Votes":
        """What people said of arms side by side; loaded when first asked for."""
        from retrieval.catalog.votes import Votes

        return Votes(self.database)

    @cached_property
    def ballots(self) -> "Ballots":
        """Pages that can be voted on; loaded when first asked for."""
        from retrieval.catalog.ballots import Ballots

        return Ballots(self.database)

    @cached_property
    def jobs(self) -> "Jobs":
        """What workers do; loaded when first asked for."""
        from retrieval.catalog.jobs import Jobs

        return Jobs(self.database)

    @cached_property
    def keys(self) -> "Keys":
        """Who may ask a service for what; loaded when first asked for."""
        from retrieval.catalog.keys import Keys

        return Keys(self.database)

    @cached_property
    def sources(self) -> "Sources":
        """What was ingested, to be ingested again; loaded when first asked for."""
        from retrieval.catalog.sources import Sources

        return Sources(self.database)

    @cached_property
    def trainings(self) -> "Trainings":
        """What the last training of each collection saw; loaded when first asked for."""
        from retrieval.catalog.trainings import Trainings

        return Trainings(self.database)

    @cached_property
    def schedules(self) -> "Schedules":
        """Work that is asked for again and again; loaded when first asked for."""
        from retrieval.catalog.schedules import Schedules

        return Schedules(self.database)

    @cached_property
    def idempotency(self) -> "Idempotency":
        """Answers kept under their callers' keys; loaded when first asked for."""
        from retrieval.catalog.idempotency import Idempotency

        return Idempotency(self.database)

    @cached_property
    def searches(self) -> "Searches":
        """What was searched, and what readers made of it; loaded when first asked for."""
        from retrieval.catalog.searches import Searches

        return Searches(self.database)

    @cached_property
    def reading(self) -> "Reading":
        """What suggestions and contexts are made of; loaded when first asked for."""
        from retrieval.catalog.reading import Reading

        return Reading(self.database)

    @classmethod
    def open(cls, url: str) -> "Catalog":
        """Open the catalog at a SQLAlchemy URL, creating it when it is empty.

        Raises SchemaMismatch for one that an older or newer Tandem wrote, CatalogError for one that cannot be opened.
        """
        database = Database(url)
        database.prepare()
        return cls(database)

    def close(self) -> None:
        """Release the database."""
        self.database.close()
