#!/bin/sh
# The steps of a night and of a week, for schedulers that know only commands and exit codes.
#
#   run.sh nightly AS_OF SETTINGS   score everyone as of AS_OF, then compare earlier scores with
#                                   what has become of them
#   run.sh weekly SETTINGS          train a challenger; promote it if every rule passes
#
# AS_OF is a date, its midnight UTC. It is always given, so that a run that is late or repeated
# does the work of its own night.
#
# Ends with 0 when all is done or there was nothing to do, 1 when a gate refused or a limit was
# crossed, 2 when data or settings are bad, 75 when another run was at work all the time.
#
# Environment: PQL    the command, with its path (pql)
#              TRIES  how often a step is tried while another run is at work (1)
#              WAIT   seconds from one try to the next (600)
set -u

step() {
    left=${TRIES:-1}
    while true; do
        ${PQL:-pql} "$@"
        code=$?
        left=$((left - 1))
        if [ "$code" -ne 75 ] || [ "$left" -le 0 ]; then break; fi
        sleep "${WAIT:-600}"
    done
    if [ "$code" -ne 0 ] && [ "$code" -ne 3 ]; then
        echo "pql $1 ended with $code" >&2
        exit "$code"
    fi
}

case "${1-} $#" in
"nightly 3")
    step predict --as-of "$2" --settings "$3"
    step monitor --as-of "$2" --settings "$3"
    ;;
"weekly 2")
    step train --settings "$2"
    step promote --settings "$2"
    ;;
*)
    echo "usage: run.sh nightly AS_OF SETTINGS | run.sh weekly SETTINGS" >&2
    exit 2
    ;;
esac
