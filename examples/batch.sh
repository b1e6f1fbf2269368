#!/usr/bin/env bash
# Segments every video below a folder, keeping the folder structure, and lists the failures.
#
#   examples/batch.sh VIDEOS RESULTS "dog,skateboard" [more options of ovvis segment]
#
# It can be stopped and restarted at any time, for example from cron: finished videos are skipped, and an interrupted one
# is resumed. ovvis is called once per folder, so the model is loaded once per folder. Exit code 1 if anything failed.
set -uo pipefail

if [ $# -lt 3 ]; then
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
videos=${1%/} results=${2%/} names=$3
shift 3
mkdir -p "$results" || exit 5
failures="$results/failures.txt"
: > "$failures"

while IFS= read -r -d '' folder; do
    files=()
    while IFS= read -r -d '' file; do files+=("$file"); done < <(
        find "$folder" -maxdepth 1 -type f \
            \( -iname '*.mp4' -o -iname '*.mov' -o -iname '*.mkv' -o -iname '*.webm' -o -iname '*.avi' \) -print0 | sort -z
    )
    [ ${#files[@]} -gt 0 ] || continue
    part=${folder#"$videos"}
    output="$results$part"
    mkdir -p "$output"
    echo "$folder: ${#files[@]} videos" >&2
    ovvis segment "${files[@]}" --classes "$names" --output "$output" --quiet --json "$@" < /dev/null \
        > "$output/summary.json" 2> "$output/errors.txt"
    status=$?
    cat "$output/errors.txt" >&2
    case $status in
        0) rm -f "$output/errors.txt" ;;
        130) exit 130 ;;
        *) sed "s|^|$folder: |" "$output/errors.txt" >> "$failures" ;;
    esac
done < <(find "$videos" -type d -print0 | sort -z)

if [ -s "$failures" ]; then
    echo "some inputs failed, see $failures" >&2
    exit 1
fi
rm -f "$failures"
