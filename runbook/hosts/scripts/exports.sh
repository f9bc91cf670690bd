# Tells the newest exports with their manifests, and what only bears the name of one. Those of the
# future are counted apart, so that a clock which was ahead hides no other.
export LC_ALL=C
shopt -s nullglob
[ -e "$folder" ] || exit 0
cd -- "$folder"
now=$(date -u +%Y%m%dT%H%M%SZ)
echo "now $now"
past=0 future=0 foreign=0
names=($any_stamp)
for ((at = ${#names[@]} - 1; at >= 0; at--)); do
  name=${names[at]} manifest=${names[at]}/manifest.json why=""
  if [ ! -d "$name" ] || [ -L "$name" ]; then why="it is no folder"
  elif ! there "$manifest"; then why="its manifest.json is missing"
  elif ! plain "$manifest" "$longest"; then
    why="its manifest.json is no plain file of at most $longest bytes that can be read"
  fi
  if [ -n "$why" ]; then
    foreign=$((foreign + 1))
    [ "$foreign" -gt "$most_foreign" ] || echo "foreign $name $why"
    continue
  fi
  if [[ $name > $now ]]; then count=$((future += 1)); else count=$((past += 1)); fi
  [ "$count" -le "$most" ] || continue
  echo "export $name"
  { head -c "$longest" -- "$manifest" || true; } | sed 's/^/= /'
  echo
done
