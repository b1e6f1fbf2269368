"""`ovvis evaluate --list`: the data sets, where they are found, and which of their splits are there."""

from pathlib import Path

from ovvis_cli.console import Console, JsonValue


def homes() -> tuple[Path, ...]:
    """The folders that may hold data sets, the first to be looked into first."""
    from ovvis_cli.data.homes import data_homes
    from ovvis_cli.model_store.installed import home_folder

    return data_homes(system_folder=home_folder() / "datasets")


def show_data_sets(console: Console, *, data: Path | None) -> None:
    """Shows every data set; `data` is a folder to look into in place of the usual ones."""
    from ovvis_cli.data.homes import find_data_sets

    looked = homes() if data is None else (data, data.parent)
    rows: list[tuple[str, ...]] = []
    told: list[JsonValue] = []
    for found in find_data_sets(looked):
        spec, folder = found.spec, None if found.folder is None else str(found.folder)
        splits = (", ".join(names) or "-" for names in (found.splits, tuple(spec.split_names)))
        rows.append((spec.name, spec.title, folder or "-", *splits, spec.page))
        told.append(
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
    console.note(f"looked into {', '.join(str(home) for home in looked)}")
    console.emit({"data_sets": told})
