# What every program's script begins with: `bash prelude.sh programs/NAME.sh`,
# in an empty folder, stopped at the first error.
#
#   SOAK_ROOT      the project's folder
#   SOAK_PROGRAMS  the folder of the scripts, for what lies beside them
#
# A script that cannot run here says why and ends with status 77.
set -euo pipefail

skip() {
  echo "$*"
  exit 77
}

# needs PROGRAM…: all of them, or the script is skipped.
needs() {
  local program
  for program in "$@"; do command -v "$program" >/dev/null || skip "$program is not installed"; done
}

# A moment, in a loop that waits for something; no process of the program's, so it has no store.
pause() {
  LD_PRELOAD='' sleep 0.02
}

source "$1"
