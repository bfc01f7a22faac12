#!/usr/bin/env bash
# Prints how fast assetfs is, compared with what the machine can do. Each row alternates between assetfs and its reference, and shows
# medians of RUNS (5) runs. Needs root (to drop caches, and for passthrough), some 5 GB below TMPDIR, and dd, fio, curl, ffmpeg.
# Everything runs on loopback, and is ended and unmounted even after Ctrl-C.
#
#	integration_test/bench.sh [whole|service|user|cold|tls|shaped|first|part|frame|readers|list]...
#
# No name means all rows. The exit status is 0 whatever the results are.
set -euo pipefail
export LC_ALL=C
# In a mount namespace mounts can't outlive the script, and /dev/fuse can be opened to users, for the "user" rows.
[ -n "${BENCH_UNSHARED:-}" ] || [ "$(id -u)" -ne 0 ] || BENCH_UNSHARED=1 exec unshare -m -- "$BASH" "$0" "$@"
cd "$(dirname "$0")/.."
RUNS=${RUNS:-5}
GIB=$((1 << 30)) MIB=$((1 << 20))
[ "$(id -u)" -eq 0 ] || { echo "bench.sh: run it as root: it drops caches" >&2; exit 2; }
for tool in dd fio curl ffmpeg go setpriv fusermount3; do
	command -v $tool >/dev/null || { echo "bench.sh: install $tool" >&2; exit 2; }
done

work=$(mktemp -d) mnt=$work/mnt spool=$work/spool
pid='' api_pids=() serial=0 as=()
chmod 755 "$work"

finish() {
	trap - EXIT INT TERM
	[ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null || true
	umount -l "$mnt" "$work/tmpfs" 2>/dev/null || true
	[ -z "$pid" ] || gone "$pid"
	[ ${#api_pids[@]} -eq 0 ] || kill "${api_pids[@]}" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

gone() { tail --pid="$1" -s 0.02 -f /dev/null; }

# mount_fs FLAG... [ID...] mounts on $mnt with the existing spool. It sets $pid, and $ready to the seconds until the ready line.
mount_fs() {
	local line from=$EPOCHREALTIME
	exec {said}< <(exec "${as[@]}" env MEMORIES_API_KEY=bench HOME="$work" "$work/assetfs" --base-url "$api/api" \
		--spool-dir "$spool" --spool-min-free 0 --rate-limit none "$@" 2>&1)
	pid=$!
	while read -r line <&"$said"; do
		echo "$line" >>"$work/log"
		[[ $line != "assetfs: mounted "* ]] || break
	done
	ready=$(calc "$EPOCHREALTIME - $from")
	[[ ${line:-} == "assetfs: mounted "* ]] || { cat "$work/log" >&2; exit 1; }
	cat <&"$said" >>"$work/log" &
	exec {said}<&-
}

unmount() {
	kill -TERM "$pid"
	gone "$pid"
	pid=''
}

# fresh FLAG... mounts with an empty spool.
fresh() {
	[ -z "$pid" ] || unmount
	rm -rf "$spool" "$mnt"
	mkdir "$spool" "$mnt"
	[ ${#as[@]} -eq 0 ] || chown nobody "$spool" "$mnt"
	mount_fs "$@" "$mnt"
}

# start_api FLAG... starts an API and sets $api to its address.
start_api() {
	exec {address}< <(exec "$work/fakeapi" "$@")
	api_pids+=($!)
	read -r api <&"$address"
	exec {address}<&-
}

control() { curl -sSf -o /dev/null -X PUT -d "$2" "$api/control/$1"; }
config() { control config "{\"Rate\":$1,\"Latency\":\"$2\"}"; }

# put KEY:VALUE adds an asset and sets $id to its ID.
put() {
	id=re_$((++serial))
	control asset "{\"ID\":\"$id\",\"Name\":\"$id.mp4\",$1}"
}

url() { echo "$api/api/${1:-$id}/download"; }
spooled() { echo "$spool"/*/"${1:-$id}".*; }
calc() { awk "BEGIN { printf \"%.6f\", $1 }"; }
median() { sort -g "$work/$1" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
drop() { sync; echo 3 >/proc/sys/vm/drop_caches; }
# settle lets earlier writes reach the disk, so that they don't disturb a measurement. It also touches memory: the first use of a
# page costs a virtual machine more than anything that is measured here.
settle() {
	head -c 3G /dev/zero >"$work/memory"
	rm "$work/memory"
	sync
	sleep 3 # the disk is busy for a while after files were removed
}
# The kernel activates a page at its second read. From the third on, all reads cost the same.
warm() { cat "$(spooled)" "$(spooled)" "$(spooled)" >/dev/null; }
rss() { awk "/^$1:/ { print \$2 / 1024 }" "/proc/$pid/status"; } # in MiB; VmHWM is the highest so far
requests() { curl -sSf "$api/control/requests" | grep -c '"Op"' || true; }
start() { rm -f "$work"/m.*; }
note() { echo "$2" >>"$work/m.$1"; } # note SIDE VALUE

# timed SIDE COMMAND... records how many seconds it takes.
timed() {
	local side=$1 from=$EPOCHREALTIME
	shift
	"${as[@]}" "$@" >/dev/null 2>>"$work/log"
	note "$side" "$(calc "$EPOCHREALTIME - $from")"
}

# row NAME UNIT GOAL [SCALE] prints a row: m.a is assetfs, m.b the reference. With SCALE (bytes) both are seconds, shown as SCALE /
# seconds. GOAL is >=N or <=N for the ratio, <N or >N for the value of assetfs, or "-".
row() {
	local ref=-
	[ ! -s "$work/m.b" ] || ref=$(median m.b)
	awk -v name="$1" -v unit="$2" -v goal="$3" -v scale="${4:-0}" -v a="$(median m.a)" -v b="$ref" 'BEGIN {
		if (scale > 0) { a = scale / a / 1e6; if (b != "-") b = scale / b / 1e6 }
		ratio = b == "-" ? "-" : sprintf("%.3f", a / b)
		limit = goal; gsub(/[<>=]/, "", limit)
		verdict = ""
		if (goal ~ /^>=/) verdict = ratio + 0 >= limit + 0 ? "ok" : "short"
		else if (goal ~ /^<=/) verdict = ratio + 0 <= limit + 0 ? "ok" : "short"
		else if (goal ~ /^</) verdict = a + 0 < limit + 0 ? "ok" : "short"
		else if (goal ~ /^>/) verdict = a + 0 > limit + 0 ? "ok" : "short"
		printf "%-58s %10.4g %10s %-5s %7s %7s %s\n", name, a, b == "-" ? "-" : sprintf("%.4g", b), unit, ratio, goal, verdict
	}'
}

# cpu SIDE GIB COMMAND... records the CPU seconds per GiB of the command, and for side a those of assetfs, too.
cpu() {
	local side=$1 gib=$2 before=0 after=0 from=$EPOCHREALTIME used
	shift 2
	[ "$side" != a ] || before=$(ticks)
	TIMEFORMAT='%U + %S'
	used=$({ time "${as[@]}" "$@" >/dev/null 2>>"$work/log"; } 2>&1)
	note "$side" "$(calc "$EPOCHREALTIME - $from")"
	[ "$side" != a ] || after=$(ticks)
	note "cpu.$side" "$(calc "($used + ($after - $before) / $(getconf CLK_TCK)) / $gib")"
}
ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }

cpu_row() {
	mv "$work/m.cpu.a" "$work/m.a"
	mv "$work/m.cpu.b" "$work/m.b"
	row "$1" s -
}

read_all() { dd if="$1" of=/dev/null bs=1M; }
iops() { # iops SIDE FILE
	note "$1" "$(fio --name=r --readonly --allow_file_create=0 --filename="$2" --rw=randread --bs=4k --ioengine=psync --invalidate=0 \
		--time_based --runtime=1500ms --norandommap --minimal 2>>"$work/log" | cut -d';' -f8)"
}

# sequential NAME GOAL_FIRST GOAL_SECOND [TMPFS] prints rows about a whole asset of 1 GiB. TMPFS is a directory of a tmpfs with single
# pages, like FUSE's page cache, while a local file has large folios. It shows the speed without network, disk and FUSE.
sequential() {
	config 0 0s
	put "\"Size\":$GIB"
	fresh
	"${as[@]}" dd if="$mnt/$id" of=/dev/null bs=1M status=none
	start
	local again=$work/again.a reference=$work/again.b
	rm -f "$again" "$reference"
	[ -z "${4:-}" ] || { cp "$(spooled)" "$4/pages" && chmod 644 "$4/pages"; }
	for ((i = 0; i < RUNS; i++)); do
		drop
		warm
		timed b dd if="$(spooled)" of=/dev/null bs=1M
		timed a dd if="$mnt/$id" of=/dev/null bs=1M
		cpu b2 1 dd if="$(spooled)" of=/dev/null bs=1M
		cpu a 1 dd if="$mnt/$id" of=/dev/null bs=1M
		if [ -n "${4:-}" ]; then
			cat "$4/pages" "$4/pages" >/dev/null
			timed third dd if="$mnt/$id" of=/dev/null bs=1M
			timed pages dd if="$4/pages" of=/dev/null bs=1M
		fi
		tail -n 1 "$work/m.a" >>"$again"
		sed -i '$d' "$work/m.a" # of the second read
		tail -n 1 "$work/m.b2" >>"$reference"
	done
	row "$1, sequential, first open | spool file" MB/s "$2" $GIB
	mv "$again" "$work/m.a"
	mv "$reference" "$work/m.b"
	row "$1, second read | spool file" MB/s "$3" $GIB
	if [ -n "${4:-}" ]; then
		mv "$work/m.third" "$work/m.a"
		mv "$work/m.pages" "$work/m.b"
		row "$1, third read | tmpfs of single pages" MB/s - $GIB
		rm "$4/pages"
	fi
	mv "$work/m.cpu.b2" "$work/m.cpu.b"
	cpu_row "$1, CPU seconds per GiB, warm | dd"
}

run_whole() {
	sequential "whole" ">=0.90" ">=0.90"
	start
	for ((i = 0; i < RUNS; i++)); do
		iops b "$(spooled)"
		iops a "$mnt/$id"
	done
	row "whole, 4 KiB random | spool file" IOPS ">=0.70"
}

# as_user ROW [FLAG...] runs the following rows as an ordinary user, with setpriv's FLAGs.
as_user() {
	local row=$1
	shift
	as=(setpriv --reuid=nobody --regid=nogroup --clear-groups "$@")
	[ -e "$work/fuse" ] || { mknod -m 666 "$work/fuse" c 10 229 && mount --bind "$work/fuse" /dev/fuse || true; }
	"${as[@]}" bash -c '</dev/fuse' 2>>"$work/log" && return
	echo "$row: NOT MEASURED, users can't open /dev/fuse here"
	as=()
	return 1
}

# As a user with the capability that assetfs@.service gives: with passthrough.
run_service() {
	as_user "whole, CAP_SYS_ADMIN alone" --inh-caps=+sys_admin --ambient-caps=+sys_admin --bounding-set=-all,+sys_admin --no-new-privs || return 0
	sequential "whole, CAP_SYS_ADMIN alone" ">=0.90" ">=0.90"
	unmount
	as=()
}

# As a user without privileges: no passthrough.
run_user() {
	as_user "whole, no passthrough" || return 0
	mkdir "$work/tmpfs"
	mount -t tmpfs -o size=1100M,huge=never tmpfs "$work/tmpfs"
	sequential "whole, no passthrough" ">=0.25" ">=0.90" "$work/tmpfs"
	umount "$work/tmpfs"
	unmount
	as=()
}

# cold NAME GOAL prints rows about an asset of 1 GiB of which nothing is known.
cold() {
	config 0 0s
	put "\"Size\":$GIB"
	start
	for ((i = 0; i < RUNS; i++)); do
		fresh
		cpu a 1 dd if="$mnt/$id" of=/dev/null bs=1M
		note peak "$(rss VmHWM)"
		unmount
		rm -rf "$spool"
		cpu b 1 curl -sSo "$work/new.$i" "$(url)"
		rm "$work/new.$i"
	done
	row "$1, sequential, 1 GiB | curl -o FILE" MB/s "$2" $GIB
	cpu_row "$1, CPU seconds per GiB | curl -o FILE"
	rm "$work/m.b"
	mv "$work/m.peak" "$work/m.a"
	row "$1, highest resident memory" MiB "<48"
}

run_cold() { cold "cold" ">=0.90"; }

run_tls() {
	local api
	export SSL_CERT_FILE=$work/certificate CURL_CA_BUNDLE=$work/certificate
	start_api -tls "$SSL_CERT_FILE"
	cold "cold, TLS" -
	config 0 20ms
	start
	for ((i = 0; i < 3 * RUNS; i++)); do
		fresh
		first_byte
	done
	row "first byte of a mount, TLS, 20 ms | curl time_starttransfer" ms -
	unset SSL_CERT_FILE CURL_CA_BUNDLE
}

run_shaped() {
	config 100000000 20ms
	fresh
	start
	for ((i = 0; i < RUNS; i++)); do
		put "\"Size\":$((256 * MIB))"
		timed a dd if="$mnt/$id" of=/dev/null bs=1M
		timed b curl -sSo "$work/new.$i" "$(url)"
		rm "$work/new.$i"
	done
	row "cold, 256 MiB at 100 MB/s, 20 ms | curl -o FILE" MB/s ">=0.99" $((256 * MIB))
}

# first_byte records how long the first byte of a new asset takes. The shell itself opens and reads, and curl prints the time since it
# began to connect, so the start of a program never counts.
first_byte() {
	local from byte until
	put "\"Size\":$((16 * MIB))"
	from=$EPOCHREALTIME
	IFS= read -r -d '' -N 1 byte <"$mnt/$id" 2>>"$work/log"
	until=$EPOCHREALTIME
	note a "$(calc "1000 * ($until - $from)")"
	note b "$(calc "1000 * $(curl -sSo /dev/null -w '%{time_starttransfer}' "$(url)")")"
}

run_first() {
	config 0 20ms
	fresh
	start
	for ((i = 0; i < 3 * RUNS; i++)); do
		first_byte
	done
	row "first byte, 20 ms latency | curl time_starttransfer" ms "<=1.10"
}

run_part() {
	config 0 0s
	fresh
	put "\"Size\":$GIB"
	local size=$((128 * MIB)) unit
	dd if="$mnt/$id" of=/dev/null bs=1M count=160 status=none
	for unit in 4 64 1024; do
		start
		for ((i = 0; i < RUNS; i++)); do
			timed b dd if="$(spooled)" of=/dev/null bs=${unit}k count=$((size / 1024 / unit))
			timed a dd if="$mnt/$id" of=/dev/null bs=${unit}k count=$((size / 1024 / unit))
		done
		row "partly spooled, reads of $unit KiB | spool file" MB/s - $size
		rm "$work/m.b"
		[ $unit -ne 4 ] || row "partly spooled, reads of 4 KiB, by itself" MB/s ">100" $size
	done
}

run_frame() {
	ffmpeg -nostdin -loglevel error -y -f lavfi -i "nullsrc=size=640x360:rate=25,geq=lum='random(1)*255':cb=128:cr=128" -t 3 \
		-c:v mpeg4 -qscale:v 4 -g 25 -pix_fmt yuv420p "$work/short.mp4"
	ffmpeg -nostdin -loglevel error -y -stream_loop 15 -i "$work/short.mp4" -c copy -fs 60M "$work/film.mp4" # its index is at the end
	config 20000000 50ms
	fresh
	start
	for ((i = 0; i < RUNS; i++)); do
		put "\"Type\":\"video/mp4\",\"File\":\"$work/film.mp4\""
		timed a ffmpeg -nostdin -loglevel error -i "$mnt/$id" -frames:v 1 -f null -
		timed b ffmpeg -nostdin -loglevel error -i "$(url)" -frames:v 1 -f null -
	done
	row "open to first frame, MP4, 20 MB/s, 50 ms | ffmpeg on the URL" s "<=1.0"
}

run_readers() {
	config 0 0s
	local ids=() n size=$((128 * MIB))
	for n in {1..8}; do
		put "\"Size\":$size"
		ids+=("$id")
	done
	start
	for ((i = 0; i < RUNS; i++)); do
		fresh
		timed a bash -c 'for f in "$@"; do dd if="$f" of=/dev/null bs=1M & done; wait' - "${ids[@]/#/$mnt/}"
		unmount
		rm -rf "$spool"
		timed b bash -c 'for id in "${@:3}"; do curl -sSo "$2/new.$id" "$1/api/$id/download" & done; wait' - "$api" "$work" "${ids[@]}"
		rm "$work"/new.*
	done
	row "8 cold readers of 8 assets | 8 curls" MB/s ">=0.90" $((8 * size))
}

run_list() {
	local many=10000 before
	config 0 0s
	mkdir "$work/local"
	for ((i = 1; i <= many; i++)); do
		id=re_$((900000 + i))
		echo $id >&3
		: >"$work/local/$id.mp4"
		[ $i -eq 1 ] || echo next
		printf 'url = %s/control/asset\ndata = "{\\"ID\\":\\"%s\\",\\"Name\\":\\"%s.mp4\\",\\"Size\\":%d}"\noutput = /dev/null\n' \
			"$api" $id $id $i
	done 3>"$work/ids" >"$work/conf"
	curl -sS -K "$work/conf"
	fresh --resolve metadata --list-wait 60s --ids "$work/ids"
	ls -l "$mnt" >/dev/null
	before=$(requests)
	start
	for ((i = 0; i < RUNS; i++)); do
		drop
		timed b ls -l "$work/local"
		timed warm ls -l "$work/local"
		drop
		ls / /bin/ls >/dev/null # the program itself is not what is measured
		timed a ls -l "$mnt"
	done
	row "ls -l of $many known assets | local directory, cold" s "<=10"
	mv "$work/m.warm" "$work/m.b"
	row "ls -l of $many known assets | local directory, warm" s "<=10"
	note requests $(($(requests) - before))
	cp "$work/m.requests" "$work/m.a"
	rm "$work/m.b"
	row "requests made by those $RUNS listings" "" "<1"
	start
	for ((i = 0; i < RUNS; i++)); do
		unmount
		mount_fs --resolve metadata --ids "$work/ids" "$mnt"
		note a "$ready"
		note rss "$(rss VmRSS)"
	done
	row "mount with $many IDs to the ready line" s "<0.3"
	mv "$work/m.rss" "$work/m.a"
	row "resident memory then" MiB "<64"
}

go build -o "$work/assetfs" .
go build -o "$work/fakeapi" ./integration_test/fakeapi
start_api

echo "$(nproc) processors, $(uname -r), $(go env GOVERSION), medians of $RUNS, $(git describe --always --dirty 2>/dev/null || true)"
printf '%-58s %10s %10s %-5s %7s %7s\n' "row | reference" measured reference unit ratio goal
[ $# -gt 0 ] || set -- whole service user cold tls shaped first part frame readers list
for group; do
	settle
	"run_$group"
done
