export LC_ALL=C
shopt -s nullglob
[ -e "$folder" ] || exit 0
cd -- "$folder"
found=(????????T??????Z)
[ "${#found[@]}" -gt 0 ] || exit 0
cd -- "${found[-1]}"
echo "export ${found[-1]}"
for file in *.tsv.gz load.sql; do echo "file $(sha256sum -- "$file")"; done
[ ! -e manifest.json ] || sed 's/^/= /' manifest.json
