# Usage: same.sh ID... Prints where a mounted asset differs from the file on the server; nothing if they are equal.
# Tails and random reads come before reads from the start, so that they are real seeks.
for id; do
	file=$FILES/$id/download
	size=$(stat -c %s "$file")
	got=$(stat -L -c %s "$MNT/$id")
	[ "$got" = "$size" ] || echo "$id: size $got, want $size"
	[ "$(tail -c 65536 "$MNT/$id" | sha256sum)" = "$(tail -c 65536 "$file" | sha256sum)" ] || echo "$id: tail"
	for part in 7 3 9 1; do
		offset=$((size / 10 * part + part))
		cmp -i $offset -n 100000 "$MNT/$id" "$file" || echo "$id: 100000 bytes at $offset"
	done
	for part in 1 5 0 8; do
		cmp -i $((size / 10 * part)) "$MNT/$id" "$file" || echo "$id: the reader from $part tenths on" &
	done
	wait
	[ "$(sha256sum <"$MNT/$id")" = "$(sha256sum <"$file")" ] || echo "$id: sum"
done
