# Usage: held.sh ID. Reads 4 MB, reports that on the pipe "at", waits for the pipe "go", and compares the rest.
exec 3<"$MNT/$1"
head -c 4000000 <&3 >got
echo >at
read -r _ <go
cat <&3 >>got || echo "the rest can't be read"
cmp got "$FILES/$1/download"
exit 0
