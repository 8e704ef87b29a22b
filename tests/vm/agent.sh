# SPDX-License-Identifier: Apache-2.0
# The guest's side of the boot tests: runs what the host sends over the virtio port keelson.test and answers in JSON.
# Started by /etc/init.d/001-test-agent with its own busybox, so that it needs nothing of the image under test and
# works when containers do not.
#   host -> guest   ID SECONDS BASE64(script)        one line
#   guest -> host   {"id":ID,"status":N,"stdout":"BASE64","stderr":"BASE64"}
# One command at a time; output is cut at 1 MiB.
BB=/usr/lib/keelson-test/busybox
DIR=/run/keelson-test
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$DIR/bin HOME=/root

find_port() {
    for dir in /sys/class/virtio-ports/*; do
        [ "$($BB cat "$dir/name" 2>/dev/null)" = keelson.test ] && echo "/dev/${dir##*/}" && return
    done
    return 1
}

encode() {
    $BB head -c 1048576 "$1" | $BB base64 -w 0
}

serve() {
    while :; do
        read -r id seconds script || { $BB sleep 0.1; continue; }
        echo "$script" | $BB base64 -d >"$DIR/script"
        $BB timeout -s KILL "$seconds" $BB sh "$DIR/script" >"$DIR/out" 2>"$DIR/err" </dev/null
        printf '{"id":%d,"status":%d,"stdout":"%s","stderr":"%s"}\n' "$id" $? "$(encode "$DIR/out")" "$(encode "$DIR/err")"
    done
}

$BB mkdir -p "$DIR/bin"
$BB --install -s "$DIR/bin"
tries=0
until port=$(find_port); do
    tries=$((tries + 1))
    [ $tries -gt 300 ] && echo "test agent: no port keelson.test" && exit 1
    $BB sleep 0.1
done
# Opened once: a port that is opened anew for each message gets stuck.
exec 3<>"$port"
serve <&3 >&3 2>/dev/null
