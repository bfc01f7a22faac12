# Usage: cats.sh ID... Reads all assets at once, and prints which differ.
for id; do
	cmp "$MNT/$id" "$FILES/$id/download" || echo "$id" &
done
wait
