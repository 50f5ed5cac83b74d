#!/usr/bin/env bash
# A newcomer's clock: an empty Debian, then what README.md says, word for word; prints the minutes. Needs root and debootstrap.
# usage: tests/newcomer.sh [FOLDER]
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
room=${1:-$(mktemp -d -t newcomer-XXXX)}
mirror=${MIRROR:-http://deb.debian.org/debian}
system=$room/system

leave() { umount "$system/proc" 2>/dev/null || true; [ -n "${1:-}" ] || rm -rf --one-file-system "$room"; }
trap 'leave "${1:-}"' EXIT
inside() { chroot "$system" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PIP_CERT=/etc/ssl/certs/ca-certificates.crt bash -euo pipefail -c "$1"; }
began=$SECONDS
clock() { printf '%-52s %4d s, %4.1f min in all\n' "$1" $((SECONDS - step)) "$(awk "BEGIN{print ($SECONDS-$began)/60}")"; step=$SECONDS; }

debootstrap --variant=minbase --include=python3,python3-venv,git,make,ca-certificates bookworm "$system" "$mirror" >"$room/debootstrap.log"
cp /etc/resolv.conf /etc/hosts "$system/etc/"                                   # how this machine reaches the world
cp /etc/ssl/certs/ca-certificates.crt "$system/etc/ssl/certs/"
mount -t proc proc "$system/proc"

step=$SECONDS
began=$SECONDS
git clone -q "$source" "$system/root/triage"
clock "cloned"
inside 'cd ~/triage && make demo ARGS=--no-wait' >"$room/demo.log"
clock "make demo: installed, first films listed"
inside 'cd ~/triage && PATH=$PWD/.venv/bin:$PATH
triage serve >serve.log 2>&1 & pid=$!
until grep -q "\"event\": \"model loaded\"" serve.log && grep -q "\"event\": \"serving\"" serve.log; do kill -0 $pid; sleep 0.2; done
triage send sample_dicom
until triage worklist --json | python3 -c "import json, sys; rows = json.load(sys.stdin); sys.exit(not rows or any(row[\"level\"] == \"pending\" for row in rows))"; do sleep 0.5; done
triage verify
kill $pid; wait $pid || true' >"$room/serve.log"
clock "triage serve, triage send, assessed and verified"
grep -h 'differs from\|stored\|gaps' "$room/demo.log" "$room/serve.log"
