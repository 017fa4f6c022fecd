"""The scripts that run on a device: POSIX sh, with what dash, mksh, busybox and Android's toybox have in common.

Their arguments are positional parameters, never part of the text. A file that another process may read is written
under another name and renamed.
"""

from __future__ import annotations

ALIVE = r"""
boot_now() { { cat /proc/sys/kernel/random/boot_id || grep '^btime' /proc/stat; } 2>/dev/null; }
stat_of() {
    line=
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || [ -n "$line" ] || return 1
    set -- ${line##*) }
    session=$4 state=$1
    shift 19
    born=$1
}
others_of() {
    found=
    for each in /proc/[0-9]*; do
        other=${each#/proc/}
        [ "$other" != "$1" ] && stat_of "$other" && [ "$session" = "$1" ] && [ "$state" != Z ] || continue
        found=$other
        [ "$2" = 0 ] || kill -s "$2" "$other" 2>/dev/null
    done
    [ -n "$found" ]
}
"""
"""``stat_of PID`` sets ``state``, ``session`` and ``born``, the fields 3, 6 and 22 of proc(5), ``/proc/PID/stat``.

``others_of PID SIGNAL`` signals the processes of a session but its leader, and succeeds if there is one.
"""

START = (
    ALIVE
    + r"""
trap '' HUP
cd "$1" || exit
shift
if mkdir .start 2>/dev/null; then
    wrapper=$1
    shift
    rm -f pid boot_id rc born
    if setsid -f true 2>/dev/null; then
        setsid -f sh -c "$wrapper" sh "$@" </dev/null >/dev/null 2>&1
    else
        setsid sh -c "$wrapper" sh "$@" </dev/null >/dev/null 2>&1 &
    fi
fi
tries=0
until [ -f pid ]; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || { echo 'the process did not start' >&2; exit 1; }
    sleep 0.1 2>/dev/null || sleep 1
done
"""
)
"""``START folder WRAPPER [NAME=VALUE …] -- argv …``; only the first call for a folder starts a process.

``setsid -f`` is not everywhere. Without it, the process begins with INT ignored, as POSIX has it for the background.
"""

WRAPPER = (
    ALIVE
    + r"""
write() { echo "$2" >".$1" && mv ".$1" "$1"; }
trap : INT TERM QUIT
if [ -p stdin ]; then exec <>stdin; elif [ -e stdin ]; then exec <stdin; fi
stat_of $$ && write boot_id "$(boot_now)" && write born "$born" && write pid $$ || exit
(
    while [ "$1" != -- ]; do
        export "$1"
        shift
    done
    shift
    exec "$@"
) >>worker.log 2>&1
code=$?
others_of $$ KILL
write rc $code
"""
)
"""Runs in the session of its own: records itself, runs the program, ends what that left, and records its exit code.

A named pipe as ``stdin`` is opened for writing too, so that it waits for a writer and never ends; and before ``pid`` is
there, because what is written to a pipe that nobody has open is lost.
"""

SIGNAL = (
    ALIVE
    + r"""
gone() { echo gone; exit 0; }
cd "$1" 2>/dev/null && [ -f pid ] && [ ! -f rc ] || gone
read -r pid <pid && read -r boot <boot_id && read -r was <born && [ "$boot" = "$(boot_now)" ] || gone
if stat_of "$pid"; then [ "$was" = "$born" ] || gone; fi
others_of "$pid" "$2" || { stat_of "$pid" && [ "$state" != Z ]; } || gone
echo alive
"""
)
"""Signals every process of the session but the wrapper, which ends with the program and writes its exit code.

If the wrapper was killed, the others count; as long as there is one, no new process gets the wrapper's number.
"""

READ = r"""
[ -f "$1" ] || exit 0
tail -c "+$2" "$1" | head -c "$3"
"""
"""``READ path first limit``; the first byte has the number 1."""

SIZE = r"""
if [ -f "$1" ]; then wc -c <"$1"; else echo -1; fi
"""

APPEND = r"""
if [ -f "$1" ]; then size=$(wc -c <"$1"); else size=0; fi
[ "$size" -eq "$2" ] || { echo "the copy has $size bytes, not $2" >&2; exit 91; }
cat >>"$1"
"""
"""``APPEND path size``: append the input to a file of ``size`` bytes; a missing file counts as empty."""

REMOVE = r"""
rm -rf -- "$1" 2>/dev/null || { chmod -R u+rwX -- "$1" && rm -rf -- "$1"; }
"""
