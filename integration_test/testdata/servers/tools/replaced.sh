# Usage: replaced.sh ID. Reads 4 MB, reports that on the pipe "at", waits for the pipe "go", and reads far away.
exec 3<"$MNT/$1"
head -c 4000000 <&3 >/dev/null
echo >at
read -r _ <go
dd bs=1M skip=30 count=1 <&3 2>&1 >/dev/null && echo "mixed"
exit 0
