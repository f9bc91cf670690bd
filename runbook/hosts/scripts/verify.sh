set +e  # a program that fails here is something to tell, not the end
shopt -s nullglob
file=${ours[0]:-}
if [ -z "$file" ]; then  # then the newest is checked all the same, to say what is wrong with it
  for found in "$folder/$stem"-$any_stamp.sql.{zst,gz}{,.manifest.json}; do
    found=${found##*/} found=${found%.manifest.json}
    [[ $found < $file ]] || file=$found
  done
fi
[ -n "$file" ] || { echo "no dump of $database is in $folder any more. Run again: one is taken."; exit 1; }
check "$file"
if [ ${#defects[@]} -gt 0 ]; then
  for defect in "${defects[@]}"; do echo "$file: $defect"; done
  echo "It is no backup any more. Move it and its manifest out of $folder, then run again."
  exit 1
fi
old=$(($(date +%s) - $(date -d "$(value started)" +%s)))
if [ "$old" -ge "$max_age" ]; then
  echo "$file: it is $old s old by now, and may be $max_age. Run again: a new one is taken."
  exit 1
fi
echo "$file: every byte as it was verified, sha256 $(value sha256 | cut -c 1-12)"
