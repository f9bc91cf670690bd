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
for dump in "$folder/$stem"-????????T??????Z.sql.{zst,gz}; do
  echo "backup ${dump##*/} $(stat -c '%s %Y' "$dump")"
  [ ! -e "$dump.manifest.json" ] || sed 's/^/= /' "$dump.manifest.json"
  [ ! -e "$dump.snapshot" ] || echo "snapshot ${dump##*/}"
done
report "$job" | sed 's/^/job /'
