"""The record, a folder of results: schema, writer and reader."""
