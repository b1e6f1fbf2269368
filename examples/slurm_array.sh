#!/usr/bin/env bash
# A SLURM job array over a folder of videos: every task takes its own shard, and all write to one results folder.
#
#   sbatch --array=0-9 examples/slurm_array.sh VIDEOS RESULTS "dog,skateboard" [more options of ovvis segment]
#
# Submit it again to finish what was interrupted. `ovvis batch status RESULTS` shows where it stands, from any machine.
#SBATCH --job-name=ovvis
#SBATCH --cpus-per-task=4
set -euo pipefail

if [ $# -lt 3 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
videos=$1 results=$2 names=$3
shift 3

# segment reads the number of this task and of all tasks from the environment: --shard is not needed
exec ovvis segment "$videos" --classes "$names" --output "$results" --quiet "$@"
