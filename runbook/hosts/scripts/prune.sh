# Keeps the newest verified dumps, and removes none but verified ones.
if [ ${#ours[@]} -gt "$keep" ]; then
  # Nothing is removed unless the newest one is proved good, byte by byte.
  manifest=$folder/${ours[0]}.manifest.json
  if [ "$(sha256sum <"$folder/${ours[0]}" | cut -c 1-64)" != "$(value sha256)" ]; then
    echo "${ours[0]}: its checksum is not the manifest's; no older dump was removed" >&2
    exit 1
  fi
fi
for file in "${ours[@]:keep}"; do
  rm -f "$folder/$file.manifest.json" "$folder/$file.snapshot" "$folder/$file"
  echo "removed $file"
done
kept=${#ours[@]}
echo "kept $((kept < keep ? kept : keep)) of $kept verified"
