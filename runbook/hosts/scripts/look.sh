export LC_ALL=C
shopt -s nullglob
echo "now $(date +%s)"
for program in "${dumps[@]}"; do
  if command -v "$program" >/dev/null; then
    echo "dump $program"
    echo "version $("$program" --version 2>/dev/null)"
    help=$("$program" --no-defaults --help 2>/dev/null) || true
    for option in "${optional[@]}"; do
      [[ $help != *"$option"* ]] || echo "option $option"
    done
    break
  fi
done
for program in "${clients[@]}"; do
  if command -v "$program" >/dev/null; then echo "client $program"; break; fi
done
for program in zstd gzip; do
  if command -v "$program" >/dev/null; then echo "compressor $program"; break; fi
done
for dump in "$folder/$stem"-$any_stamp.sql.{zst,gz}; do
  if ! plain "$dump"; then echo "foreign ${dump##*/}"; continue; fi
  echo "backup ${dump##*/} $(stat -c '%s %Y' "$dump")"
  if plain "$dump.manifest.json" "$longest"; then
    sed 's/^/= /' "$dump.manifest.json"; echo  # its last line may have no end
  elif there "$dump.manifest.json"; then echo "odd ${dump##*/}"
  fi
  [ ! -e "$dump.snapshot" ] || echo "snapshot ${dump##*/}"
done
report "$job" | sed 's/^/job /'
