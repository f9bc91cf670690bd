# Keeps the newest verified dumps of one database. Only files with an intact manifest
# of this database count, and only those are ever removed.
export LC_ALL=C
ours=()
for manifest in "$folder/$stem"-????????T??????Z.sql.*.manifest.json; do
  file=${manifest##*/} file=${file%.manifest.json}
  if [ -s "$manifest" ] && grep -qxF "  \"database\": $database_json," "$manifest" && sealed &&
    [ "$(value file)" = "$file" ] &&
    [ "$(stat -c %s "$folder/$file" 2>/dev/null)" = "$(value bytes)" ]; then
    ours=("$file" "${ours[@]}")
  fi
done
if [ ${#ours[@]} -gt "$keep" ]; then
  # Nothing is removed unless the newest one is proved good, byte by byte.
  manifest=$folder/${ours[0]}.manifest.json
  if [ "$(sha256sum <"$folder/${ours[0]}" | cut -c 1-64)" != "$(value sha256)" ]; then
    echo "${ours[0]}: its checksum is not the manifest's; no older dump was removed" >&2
    exit 1
  fi
fi
for file in "${ours[@]:keep}"; do
  rm -f "$folder/$file.manifest.json" "$folder/$file"
  echo "removed $file"
done
kept=${#ours[@]}
echo "kept $((kept < keep ? kept : keep)) of $kept verified"
