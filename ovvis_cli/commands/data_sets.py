"""`ovvis evaluate --list`: the known data sets, where they were found, and their splits."""

from pathlib import Path

from ovvis_cli.console import Console, JsonValue


def homes() -> tuple[Path, ...]:
    """Return the folders that may contain data sets, in search order."""
    from ovvis_cli.data.homes import data_homes
    from ovvis_cli.model_store.installed import home_folder

    return data_homes(system_folder=home_folder() / "datasets")


def show_data_sets(console: Console, *, data: Path | None) -> None:
    """Show every data set; `data` is searched instead of the default folders."""
    from ovvis_cli.data.homes import find_data_sets

    searched = homes() if data is None else (data, data.parent)
    rows: list[tuple[str, ...]] = []
    entries: list[JsonValue] = []
    for found in find_data_sets(searched):
        spec, folder = found.spec, None if found.folder is None else str(found.folder)
        splits = (", ".join(names) or "-" for names in (found.splits, tuple(spec.split_names)))
        rows.append((spec.name, spec.title, folder or "-", *splits, spec.page))
        entries.append(
            {
                "name": spec.name,
                "title": spec.title,
                "folder": folder,
                "found_splits": list(found.splits),
                "splits": list(spec.split_names),
                "page": spec.page,
            }
        )
    console.table(("data set", "title", "found in", "splits found", "of", "get it from"), rows)
    console.note(f"searched {', '.join(str(home) for home in searched)}")
    console.emit({"data_sets": entries})
