"""What a run leaves on disk: schema, writer and reader of the record."""
