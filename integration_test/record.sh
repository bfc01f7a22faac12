#!/usr/bin/env bash
# Records the traces in fs/asset/testdata/traces: what real programs read of one file on a mount (record/main.go has the format).
# Needs root, the programs, and some 3 GB below TMPDIR for input files, which it makes. CI does not run it: the headers of the
# traces name the versions with which they were recorded.
#
#	integration_test/record.sh [NAME]...		all traces, or those whose names match these patterns
#
# KEEP=DIR keeps the inputs there, for the next run.
#
# COST=LIMIT records nothing. Instead each program reads the file on a mount of assetfs with that --rate-limit, and the cost is
# printed: requests, bytes that the client certainly had, bytes that the server wrote (both in MB), and seconds.
set -euo pipefail
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1
[ "$(id -u)" -eq 0 ] || { echo "record.sh: run it as root: it mounts images, and lets VLC run as nobody" >&2; exit 2; }
[ -n "${RECORD_UNSHARED:-}" ] || RECORD_UNSHARED=1 exec unshare -m -- "$BASH" "$0" "$@"
cd "$(dirname "$0")/.."
wanted=("${@:-*}")
traces=$PWD/fs/asset/testdata/traces
work=$(mktemp -d) in=${KEEP:-}
[ -n "$in" ] || in=$work/in
# For the programs: inputs, and a directory to write to.
export OUT=$work/out
mkdir -p "$in" "$traces" "$work/loop"
chmod 755 "$work"
trap 'umount "$work/loop" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
export LOOP=$work/loop
go build -o "$work/record" ./integration_test/record

# --- inputs: each is made once, when a trace first needs it ---

# clip: a minute of moving noise at some 5 Mbit/s with sound, the raw material of all films.
make_clip() {
	ffmpeg -v error -f lavfi -i "testsrc2=size=640x360:rate=25,noise=alls=12:allf=t" -f lavfi -i "sine=frequency=440:sample_rate=48000" -t 60 \
		-c:v libx264 -preset ultrafast -b:v 5M -maxrate 5M -bufsize 5M -g 50 -c:a aac -b:a 128k -f mp4 -y "$1"
}
looped() { # TIMES FORMAT FILE OPTION...
	need clip
	ffmpeg -v error -stream_loop "$(($1 - 1))" -i "$in/clip" -c copy "${@:4}" -f "$2" -y "$3"
}
make_film.mp4() { looped 10 mp4 "$1"; } # its index is at the end
make_web.mp4() { looped 10 mp4 "$1" -movflags +faststart; }
make_film.mkv() { looped 10 matroska "$1"; }
make_film.ts() { looped 10 mpegts "$1" -t 200; }
make_photo.jpg() { ffmpeg -v error -f lavfi -i "testsrc2=size=3000x2000,noise=alls=30" -frames:v 1 -q:v 2 -y "$1"; }

# book.pdf: 40 pages of a picture and a line of text, a plain cross-reference table at the end.
make_book.pdf() {
	local tmp=$work/pages
	mkdir -p "$tmp"
	ffmpeg -v error -f lavfi -i "testsrc2=size=900x600:rate=1,noise=alls=14:allf=t" -frames:v 40 -q:v 3 -y "$tmp/%02d.jpg"
	/usr/bin/python3 - "$tmp" "$1" <<-'END'
		import glob, sys
		objects = [b"<< /Type /Catalog /Pages 2 0 R >>", None, b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
		kids = []
		def add(b):
		    objects.append(b)
		    return len(objects)
		for i, name in enumerate(sorted(glob.glob(sys.argv[1] + "/*.jpg"))):
		    jpeg = open(name, "rb").read()
		    image = add(b"<< /Type /XObject /Subtype /Image /Width 900 /Height 600 /ColorSpace /DeviceRGB /BitsPerComponent 8"
		                b" /Filter /DCTDecode /Length %d >>\nstream\n%s\nendstream" % (len(jpeg), jpeg))
		    text = b"BT /F1 24 Tf 50 720 Td (Page %d) Tj ET q 500 0 0 333 50 300 cm /I Do Q" % (i + 1)
		    content = add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text))
		    kids.append(add(b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R"
		                    b" /Resources << /Font << /F1 3 0 R >> /XObject << /I %d 0 R >> >> >>" % (content, image)))
		objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(kids), b" ".join(b"%d 0 R" % k for k in kids))
		out, xref = bytearray(b"%PDF-1.4\n"), []
		for i, o in enumerate(objects):
		    xref.append(len(out))
		    out += b"%d 0 obj\n%s\nendobj\n" % (i + 1, o)
		start = len(out)
		out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % x for x in xref)
		out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
		open(sys.argv[2], "wb").write(out)
	END
}
make_web.pdf() { need book.pdf; qpdf --linearize --object-streams=generate "$in/book.pdf" "$1"; }

# photos.db: 12 MB of rows with an index, and pictures in another table between them.
make_photos.db() {
	rm -f "$1"
	sqlite3 "$1" <<-'END'
		CREATE TABLE photo(id INTEGER PRIMARY KEY, name TEXT, taken INTEGER, note TEXT);
		CREATE TABLE thumbnail(id INTEGER PRIMARY KEY, jpeg BLOB);
		CREATE INDEX photo_taken ON photo(taken);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 200000)
		INSERT INTO photo SELECT i, 'IMG_' || i || '.jpg', (i * 7919) % 1000003, hex(zeroblob(60)) FROM n;
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 800)
		INSERT INTO thumbnail SELECT i, randomblob(12000) FROM n;
	END
}

# tree: 4000 files of 0 to 96 KB in 200 directories, about 100 MB, for archives and images.
make_tree() {
	/usr/bin/python3 - "$1" <<-'END'
		import os, random, sys
		r = random.Random(1)
		for d in range(200):
		    path = f"{sys.argv[1]}/{d // 20:02}/{d % 20:02}"
		    os.makedirs(path)
		    for f in range(20):
		        open(f"{path}/file{f:02}.bin", "wb").write(r.randbytes(min(96 << 10, int(r.expovariate(1 / 28000)))))
	END
}
make_tree.tar() { need tree; tar -C "$in/tree" -cf "$1" .; }
make_tree.tar.gz() { need tree; tar -C "$in/tree" -czf "$1" .; }
make_tree.iso() { need tree; xorriso -report_about WARNING -as mkisofs -quiet -J -R -o "$1" "$in/tree"; }
make_tree.sqfs() { need tree; mksquashfs "$in/tree" "$1" -quiet -no-progress -processors 1; }
make_tree.zip() { need tree; zipped "$1" "$in/tree"; }
make_tree64.zip() { need tree; zipped "$1" "$in/tree" 70000; } # that many more entries than ZIP can count
zipped() {
	/usr/bin/python3 - "$@" <<-'END'
		import os, sys, zipfile
		with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
		    for dir, dirs, names in os.walk(sys.argv[2]):
		        dirs.sort()
		        for n in sorted(names):
		            z.write(os.path.join(dir, n), os.path.relpath(os.path.join(dir, n), sys.argv[2]))
		    for i in range(int(sys.argv[3]) if len(sys.argv) > 3 else 0):
		        z.writestr(f"small/{i // 1000}/{i}.txt", str(i))
	END
}
# disk.ext4: 2 GiB with the tree and 40000 more small files, so that its inodes and directories fill some 15 MB.
make_disk.ext4() {
	need tree
	mkdir "$work/disk"
	cp -al "$in/tree" "$work/disk/tree" 2>/dev/null || cp -a "$in/tree" "$work/disk/tree"
	/usr/bin/python3 - "$work/disk/small" <<-'END'
		import os, random, sys
		r = random.Random(5)
		for d in range(400):
		    os.makedirs(f"{sys.argv[1]}/{d}")
		    for f in range(100):
		        open(f"{sys.argv[1]}/{d}/a file with a longer name {f}", "wb").write(bytes(r.randrange(6000)))
	END
	truncate -s 2G "$1"
	mke2fs -q -t ext4 -d "$work/disk" -F "$1"
	rm -rf "$work/disk"
}

# repo.bundle: 60 commits on 600 files.
make_repo.bundle() {
	local repo=$work/repo
	git init -q "$repo"
	/usr/bin/python3 - "$repo" <<-'END' | git -C "$repo" fast-import --quiet
		import random, sys
		r, out = random.Random(2), sys.stdout.buffer
		for c in range(60):
		    out.write(b"commit refs/heads/main\ncommitter A <a@example.org> %d +0000\ndata 6\ncommit\n" % (1700000000 + c))
		    for f in range(600 if c == 0 else 20):
		        b = r.randbytes(r.randrange(12000)).hex().encode()
		        out.write(b"M 644 inline d%d/f%d\ndata %d\n%s\n" % (f % 30, r.randrange(600) if c else f, len(b), b))
	END
	git -C "$repo" symbolic-ref HEAD refs/heads/main
	git -C "$repo" bundle create -q "$1" HEAD main
	rm -rf "$repo"
}
make_big.log() { # 64 MB, 120 bytes a line
	awk 'BEGIN { for (i = 0; i < 560000; i++) printf "2026-11-25T18:13:%02d.%06d host service[%d]: request %08d answered with status 200 after %5d ms, %9d bytes\n", i/10000, i, 1000+i%7, i, i%3000, i*37%999999937 }' >"$1"
}
make_small.log() { need big.log; head -c 20000000 "$in/big.log" >"$1"; }
make_data.h5() {
	/usr/bin/python3 - "$1" <<-'END'
		import sys, h5py, numpy
		r = numpy.random.default_rng(3)
		with h5py.File(sys.argv[1], "w") as f:
		    for i in range(20):
		        g = f.create_group(f"run{i:02}")
		        g.attrs["number"] = i
		        g.create_dataset("signal", data=r.random((2000, 500)), chunks=(100, 100), compression="gzip", compression_opts=1)
		        g.create_dataset("time", data=numpy.arange(2000))
	END
}
make_random.bin() { head -c 64M /dev/urandom >"$1"; }
make_parts.bin() { head -c 192M /dev/urandom >"$1"; }
make_sparse.bin() { truncate -s 5G "$1"; }

need() {
	[ -e "$in/$1" ] && return
	echo "making $1" >&2
	rm -rf "$in/.$1"
	"make_$1" "$in/.$1"
	mv "$in/.$1" "$in/$1"
}

# --- traces ---

# cost NAME FILE PACKAGE COMMAND prints what COMMAND costs on a mount that knows nothing about the file.
cost() {
	local name=$1 file=$2 command=$4 id=re_$((++asset)) line from took said
	curl -sf -X PUT "$api/control/asset" -d "{\"id\":\"$id\",\"name\":\"$file\",\"file\":\"$in/$file\",\"etag\":\"auto\"}"
	curl -sf -X POST "$api/control/reset"
	exec {said}< <(exec env MEMORIES_API_KEY=cost HOME="$work" "$work/assetfs" --base-url "$api/api" --spool-dir "$work/spool$asset" \
		--spool-min-free 0 --rate-limit "$COST" --resolve metadata --allow-other "$work/show" "$id" 2>&1)
	mounted=$!
	while read -r line <&"$said" && [[ $line != "assetfs: mounted "* ]]; do :; done
	cat <&"$said" >"$work/mount.log" &
	ls "$work/show" >/dev/null
	from=$EPOCHREALTIME
	(cd "$OUT" && MNT=$work/show F=$work/show/$id timeout "${LONGEST:-600}" bash -c "$command") >"$work/log" 2>&1 || { echo "$name: status $?" >&2; cat "$work/log" "$work/mount.log" >&2; }
	took=$(echo "$EPOCHREALTIME $from" | awk '{ print $1 - $2 }')
	sleep 1
	kill -TERM "$mounted"
	tail --pid="$mounted" -s 0.05 -f /dev/null
	mounted=''
	curl -sf -X DELETE "$api/control/asset/$id" || true
	/usr/bin/python3 - "$name" "$took" "$(curl -sf "$api/control/requests")" "$(curl -sf "$api/control/billed")" <<-'END'
		import json, sys
		name, took, requests, billed = sys.argv[1], float(sys.argv[2]), *map(json.loads, sys.argv[3:])
		n = sum(r.get("Kind", r.get("kind")) in ("download", 0, None) and r.get("Status", r.get("status")) in (200, 206) for r in requests)
		print(f"{name:24} {n:5} requests {billed['Acknowledged']/1e6:9.2f} MB {billed['Billed']/1e6:9.2f} MB written {took:8.1f} s", flush=True)
	END
	rm -rf "$work/spool$asset"
}
asset=0 mounted=''
if [ -n "${COST:-}" ]; then
	go build -o "$work/assetfs" .
	go build -o "$work/fakeapi" ./integration_test/fakeapi
	exec {said}< <(exec "$work/fakeapi")
	server=$!
	read -r api <&"$said"
	trap 'kill $mounted "$server" || true; umount -l "$work/loop" "$work/show" 2>/dev/null || true; rm -rf "$work"' EXIT
	curl -sf -X PUT "$api/control/config" -d "{\"latency\":\"${LATENCY:-20ms}\",\"rate\":${RATE:-0}}"
fi

# trace NAME FILE PACKAGE COMMAND [OPTION]... records COMMAND, run by bash with the file in $F and a directory of its own in $OUT.
trace() {
	local name=$1 file=$2 package=$3 command=$4 pattern
	for pattern in "${wanted[@]}"; do
		# shellcheck disable=SC2053 # patterns are meant
		[[ $name == $pattern ]] && break
	done
	# shellcheck disable=SC2053
	[[ $name == $pattern ]] || return 0
	need "$file"
	rm -rf "$OUT" "$work/show"
	mkdir -m 777 "$OUT" "$work/show"
	if [ -n "${COST:-}" ]; then
		cost "$@"
		return
	fi
	ln "$in/$file" "$work/show/$file" 2>/dev/null || ln -s "$in/$file" "$work/show/$file"
	echo "recording $name" >&2
	(cd "$OUT" && "$work/record" -dir "$work/show" -file "$file" -out "$traces/$name.trace" "${@:5}" \
		-header "program $package" -header "version $(dpkg-query -W -f '${Version}' "$package")" "$command") >"$work/log" 2>&1 ||
		{ echo "record.sh: $name failed" >&2; failed=1; cat "$work/log" "$work/mount.log" >&2; }
}
failed=0

# Players, in real time, without screen and sound.
mpv='mpv --no-config --vo=null --ao=null --really-quiet'
trace mpv-start web.mp4 mpv "$mpv --length=10 \$F"
trace mpv-start-index-at-end film.mp4 mpv "$mpv --length=10 \$F"
trace mpv-start-at-300 film.mp4 mpv "$mpv --start=300 --length=5 \$F"
cat >"$work/seek.lua" <<'END'
for i, to in ipairs { 300, 60, 500 } do
	mp.add_timeout(i, function() mp.commandv("seek", to, "absolute") end)
end
mp.add_timeout(4.5, function() mp.command("quit") end)
END
export SEEK=$work/seek.lua
trace mpv-seek film.mkv mpv "$mpv --script=\$SEEK \$F"
vlc='setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=$OUT cvlc -q --vout=dummy --aout=dummy --no-plugins-scan --play-and-exit'
trace mpv-no-cache film.mkv mpv "$mpv --cache=no --length=10 \$F"
trace vlc-start web.mp4 vlc-bin "$vlc --run-time=8 \$F vlc://quit"
trace vlc-start-at-60 film.mp4 vlc-bin "$vlc --start-time=60 --run-time=8 \$F vlc://quit"
trace vlc-start-at-60-mkv film.mkv vlc-bin "$vlc --start-time=60 --run-time=8 \$F vlc://quit"
trace vlc-start-at-60-ts film.ts vlc-bin "$vlc --start-time=60 --run-time=8 \$F vlc://quit"
trace vlc-seek film.mkv vlc-bin "(sleep 3; echo seek 300; sleep 2; echo seek 120; sleep 2; echo seek 500; sleep 2; echo quit) | $vlc -I rc \$F"

# Programs that examine media.
trace ffprobe-mp4 film.mp4 ffmpeg 'ffprobe -v error -show_format -show_streams $F'
trace ffprobe-ts film.ts ffmpeg 'ffprobe -v error -show_format -show_streams $F'
trace ffmpeg-ss-mp4 film.mp4 ffmpeg 'ffmpeg -v error -ss 400 -i $F -t 2 -f null -'
trace ffmpeg-ss-ts film.ts ffmpeg 'ffmpeg -v error -ss 120 -i $F -t 2 -f null -'
trace ffmpeg-ss-mkv film.mkv ffmpeg 'ffmpeg -v error -ss 400 -i $F -t 2 -f null -'
trace ffmpeg-contact-sheet film.mp4 ffmpeg 'for t in 30 90 150 210 270 330 390 450 510 570; do ffmpeg -v error -ss $t -i $F -frames:v 1 $OUT/$t.png; done'
trace ffmpegthumbnailer film.mp4 ffmpegthumbnailer 'ffmpegthumbnailer -i $F -o $OUT/t.png'
trace mediainfo-mp4 film.mp4 mediainfo 'mediainfo $F'
trace mediainfo-ts film.ts mediainfo 'mediainfo $F'
trace mediainfo-mkv film.mkv mediainfo 'mediainfo $F'
trace exiftool-mp4 film.mp4 libimage-exiftool-perl 'exiftool $F'
trace exiftool-jpg photo.jpg libimage-exiftool-perl 'exiftool $F'
trace file-mp4 film.mp4 file 'file $F'

# Documents.
trace pdfinfo book.pdf poppler-utils 'pdfinfo $F'
trace pdftoppm-page-20 book.pdf poppler-utils 'pdftoppm -r 20 -f 20 -l 20 $F $OUT/p'
trace exiftool-pdf book.pdf libimage-exiftool-perl 'exiftool $F'
trace qpdf-check book.pdf qpdf 'qpdf --check $F'
trace qpdf-check-linearized web.pdf qpdf 'qpdf --check $F'
trace mutool-info book.pdf mupdf-tools 'mutool info $F'
trace mutool-draw book.pdf mupdf-tools 'mutool draw -r 20 -o $OUT/%d.png $F'
trace gs book.pdf ghostscript 'gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=nullpage $F'

# Databases and scientific data.
trace sqlite3-count photos.db sqlite3 'sqlite3 -readonly $F "SELECT count(*) FROM photo NOT INDEXED"'
trace sqlite3-all photos.db sqlite3 'sqlite3 -readonly $F "SELECT sum(length(note)) FROM photo; SELECT sum(length(jpeg)) FROM thumbnail"'
trace sqlite3-lookup photos.db sqlite3 'sqlite3 -readonly $F "SELECT name FROM photo WHERE taken BETWEEN 5000 AND 5040"'
trace sqlite3-random-rows photos.db sqlite3 'sqlite3 -readonly $F "WITH RECURSIVE n(i, id) AS (SELECT 1, 77 UNION ALL SELECT i+1, id * 7919 % 797 FROM n WHERE i < 100) SELECT sum(length(jpeg)) FROM n JOIN thumbnail USING (id)"'
trace h5py-list data.h5 python3-h5py "/usr/bin/python3 -c 'import h5py, sys; h5py.File(sys.argv[1]).visititems(lambda n, o: print(n, dict(o.attrs)))' \$F"
trace h5py-slice data.h5 python3-h5py "/usr/bin/python3 -c 'import h5py, sys; f = h5py.File(sys.argv[1]); print([f[\"run%02d/signal\" % i][:, 250].mean() for i in (3, 11, 17)])' \$F"

# Archives and images of disks.
trace unzip-list tree.zip unzip 'unzip -l $F'
trace unzip-one tree.zip unzip 'unzip -q $F 05/05/file05.bin'
trace unzip-test-part tree.zip unzip "unzip -tq \$F '0[0-3]/*'"
trace 7z-list-iso tree.iso p7zip-full '7z l $F'
trace 7z-one-iso tree.iso p7zip-full '7z x -bd $F 05/05/file05.bin'
trace 7z-list-zip64 tree64.zip p7zip-full '7z l $F'
trace 7z-one-zip64 tree64.zip p7zip-full '7z x -bd $F 05/05/file05.bin'
trace bsdtar-list-iso tree.iso libarchive-tools 'bsdtar tf $F'
trace tar-list tree.tar tar 'tar tvf $F'
trace tar-one tree.tar tar 'tar xf $F ./05/05/file05.bin'
trace tar-list-gz tree.tar.gz tar 'tar tzvf $F'
trace git-clone-bundle repo.bundle git 'git clone -q $F'
trace e2fsck disk.ext4 e2fsprogs 'e2fsck -fn $F'
trace loop-find disk.ext4 findutils 'mount -o loop,ro,noload $F $LOOP && find $LOOP -ls | tail -n 1; umount $LOOP'
trace loop-copy-some disk.ext4 coreutils 'mount -o loop,ro,noload $F $LOOP && cp -r $LOOP/tree/07/07 .; umount $LOOP'
trace unsquashfs-list tree.sqfs squashfs-tools 'unsquashfs -l $F'

# Text.
trace tac small.log coreutils 'tac $F >/dev/null'
trace tail-n-50000 big.log coreutils 'tail -n 50000 $F >/dev/null'
trace head-n-minus small.log coreutils 'head -n -120000 $F >/dev/null'
trace tail-c big.log coreutils 'tail -c 1000000 $F'
trace head-10 big.log coreutils 'head $F'

# Copies.
trace cat random.bin coreutils 'cat $F >/dev/null'
trace rsync random.bin rsync 'rsync $F $OUT/'
trace rsync-update random.bin rsync 'head -c 32M $F >$OUT/random.bin; rsync --no-whole-file --ignore-times $F $OUT/'
trace restic-backup random.bin restic 'export RESTIC_PASSWORD=x RESTIC_CACHE_DIR=$OUT/c; restic -q init -r $OUT/r && restic -q backup -r $OUT/r $F'

# Several readers, and unpredictable offsets.
cat >"$work/readers.py" <<'END'
"""readers.py FILE SIZE READERS TIMES LENGTH STEP [random]: each reads LENGTH bytes, TIMES times, in steps; at even or random places."""
import os, random, sys, threading
name, size, readers, times, length, step = sys.argv[1], *map(int, sys.argv[2:7])
rng = random.Random(4)
ready = threading.Barrier(readers)
def run(places):
    f = os.open(name, os.O_RDONLY)
    ready.wait()
    for p in places:
        for off in range(p, min(size, p + length), step):
            os.pread(f, min(step, p + length - off), off)
threads = []
for i in range(readers):
    even = i * (size // readers)
    places = [rng.randrange(size - length) // 4096 * 4096 if len(sys.argv) > 7 else even + t * length for t in range(times)]
    threads.append(threading.Thread(target=run, args=(places,)))
    threads[-1].start()
for t in threads:
    t.join()
END
export READERS=$work/readers.py
trace readers-4 parts.bin python3 '/usr/bin/python3 $READERS $F 201326592 4 1 16777216 131072' -independent
trace readers-64 parts.bin python3 '/usr/bin/python3 $READERS $F 201326592 64 1 3145728 131072' -independent
trace readers-8-random parts.bin python3 '/usr/bin/python3 $READERS $F 201326592 8 6 1048576 65536 random' -independent
trace random-5 sparse.bin python3 '/usr/bin/python3 $READERS $F 5368709120 1 5 4096 4096 random'
trace random-10 sparse.bin python3 '/usr/bin/python3 $READERS $F 5368709120 1 10 4096 4096 random'
trace random-200 parts.bin python3 '/usr/bin/python3 $READERS $F 201326592 1 200 4096 4096 random'

cat >"$work/mapped.py" <<'END'
"""mapped.py FILE PLACES: through a mapping, a page each at that many random places, or all in order."""
import mmap, os, random, sys
f = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(f).st_size
m, rng, places = mmap.mmap(f, 0, prot=mmap.PROT_READ), random.Random(6), int(sys.argv[2])
for i in range(places or size // 4096):
    m[rng.randrange(size // 4096) * 4096 if places else i * 4096]
END
export MAPPED=$work/mapped.py
trace copy-and-looks film.mp4 ffmpeg 'head -c 100M $F >/dev/null & for t in 100 200 300; do ffmpeg -v error -ss $t -i $F -frames:v 1 $OUT/$t.png; done; wait'
trace mapped-in-order random.bin python3 '/usr/bin/python3 $MAPPED $F 0'
trace mapped-random parts.bin python3 '/usr/bin/python3 $MAPPED $F 100'

[ -n "${COST:-}" ] || "$work/record" -summary "$traces"/*.trace
exit $failed
