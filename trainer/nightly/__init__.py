"""What is done every night: ingest the sources again, train if enough is new, promote on the verdict, report."""
