# Runs one server and stops it when told, or when whoever started it is gone.
#
#   sh supervise.sh <stop signal> <seconds to stop in> <folder to remove at the end, or ''> <command…>
#
# Standard input is the leash. The line `kill` kills the server at once, the line `stop` stops it with the signal, and
# by force when the time is over; the folder stays, for the server may be started again. The end of input, which the
# death of the starter brings about however it died, stops it likewise, and the folder goes.
# Standard output holds the lock of the data folder and is not passed on to the server; its output goes to
# standard error.
stop_signal=$1
patience=$2
remove=$3
shift 3

exec 3<&0 </dev/null
"$@" 3<&- >&2 &
server=$!

(
    order=
    while [ "$order" != stop ] && read -r order <&3; do
        [ "$order" = kill ] && kill -KILL "$server" 2>/dev/null
    done
    [ "$order" = stop ] || [ -z "$remove" ] || : >"$remove/over"
    kill -"$stop_signal" "$server" 2>/dev/null
    waited=0
    while kill -0 "$server" 2>/dev/null && [ "$waited" -lt "$patience" ]; do
        sleep 1 >/dev/null
        waited=$((waited + 1))
    done
    kill -KILL "$server" 2>/dev/null
) 2>/dev/null &
leash=$!
exec 3<&-

wait "$server" 2>/dev/null
code=$?
kill "$leash" 2>/dev/null
[ -n "$remove" ] && [ -e "$remove/over" ] && rm -rf "$remove"
exit "$code"
