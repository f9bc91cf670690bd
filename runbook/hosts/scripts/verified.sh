# Fills `ours` with the verified dumps of one database, the newest first: only files with
# an intact manifest of this database, of its size and time.
export LC_ALL=C
ours=()
for manifest in "$folder/$stem"-$any_stamp.sql.*.manifest.json; do
  file=${manifest##*/} file=${file%.manifest.json}
  if plain "$manifest" "$longest" && plain "$folder/$file" && grep -qxF "  \"database\": $database_json," "$manifest" && sealed &&
    [ "$(value file)" = "$file" ] &&
    [ "$(stat -c '%s %Y' "$folder/$file" 2>/dev/null)" = "$(value bytes) $(value modified)" ]; then
    ours=("$file" "${ours[@]}")
  fi
done
