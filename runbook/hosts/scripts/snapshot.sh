# Takes the snapshot that goes with the newest verified dump, once: a note beside the dump says so.
umask 077
file=${ours[0]:-}
[ -n "$file" ] || { echo "no verified dump of $database is in $folder. Run again: one is taken." >&2; exit 1; }
# An earlier run that lost its connection may be taking it: it is waited for.
exec 9>>"$folder/.snapshot-$stem.lock"
flock 9
if [ -e "$folder/$file.snapshot" ]; then echo "$file: its snapshot was taken already"; exit 0; fi
bash -eo pipefail -c "$snapshot" </dev/null 9>&-
date -u +%Y-%m-%dT%H:%M:%SZ >"$folder/$file.snapshot.new"
mv -f "$folder/$file.snapshot.new" "$folder/$file.snapshot"
echo "$file: its snapshot is taken"
