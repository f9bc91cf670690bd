stage "listing the objects"
while stamp=$(date -u +%Y%m%dT%H%M%SZ); compgen -G "$folder/$stem-$stamp.*" >/dev/null; do sleep 1; done
file=$stem-$stamp.sql.$ending
echo "$file" >"$job/name"
began=$(date +%s)
# The dump program takes the server's limit as it finds it, and MariaDB's ends well all the same.
limit=$(sql <<<'SELECT @@sql_select_limit') || fail "nothing was kept: the server could not be asked"
[ "$limit" = 18446744073709551615 ] ||
  fail "nothing was kept: a SELECT yields $limit rows at most (sql_select_limit), and so would the dump of a table"
before=$(objects_on_server "$database") || fail "nothing was kept: the objects of $database could not be listed"

stage dumping
said=$({ "$dump" --defaults-file=<(account) "${dump_options[@]}" "$database" | compress >"$job/part"
  statuses="${PIPESTATUS[*]}"; } 2>&1; printf '\n%s' "$statuses")
statuses=${said##*$'\n'} said=${said%$'\n'*}
if [ "$statuses" != "0 0" ]; then
  room=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
  rm -f "$job/part"  # first, so that a full disk has room for the reason
  if [ "$room" -lt 1024 ]; then why="the disk of $folder is full"
  elif [ "${statuses#* }" != 0 ]; then why=$(ended "$compressor" "${statuses#* }")
  else why=$(ended "$dump" "${statuses% *}"); fi
  fail "$said" "nothing was kept: $why"
fi
[ -z "$said" ] || printf '%s\n' "$said"

stage verifying
after=$(objects_on_server "$database") || fail "nothing was kept: the objects of $database could not be listed"
compare "$after" "$before" "was created while the dump ran" "was dropped while the dump ran"
examine "$job/part" "$after" "on the server"
[ ${#defects[@]} -eq 0 ] || fail "${defects[@]}" "nothing was kept: ${defects[0]}"
sum=$(sha256sum <"$job/part" | cut -c 1-64)
[ ${#sum} -eq 64 ] || fail "nothing was kept: the dump has no checksum"
sync "$job/part"

facts=$(sql "$database" <<<'SELECT VERSION(), @@character_set_database, @@collation_database') &&
  definers=$(sql "$database" <<'SQL'
SELECT DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()
UNION SELECT DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()
UNION SELECT DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
UNION SELECT DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE();
SQL
  ) || fail "nothing was kept: the server did not say what the manifest needs"
IFS=$'\t' read -r version character_set collation <<<"$facts"
bytes=$(stat -c %s "$job/part")
text() { local text=${1//\\/\\\\}; printf '"%s"' "${text//\"/\\\"}"; }
items() { sed -e '/^$/d' -e 's/.*/    "&"/' -e '$!s/$/,/'; }
{
  echo '{'
  echo '  "runbook": 1,'
  echo "  \"file\": \"$file\","
  echo "  \"database\": $database_json,"
  echo "  \"server\": $(text "$version"),"
  echo "  \"character_set\": \"$character_set\","
  echo "  \"collation\": \"$collation\","
  echo "  \"program\": $(text "$("$dump" --version)"),"
  echo "  \"options\": $options_json,"
  echo "  \"started\": \"$(date -u -d "@$began" +%Y-%m-%dT%H:%M:%SZ)\","
  echo "  \"seconds\": $(($(date +%s) - began)),"
  echo "  \"bytes\": $bytes,"
  echo "  \"modified\": $(stat -c %Y "$job/part"),"
  echo "  \"sql_bytes\": $(part bytes),"
  echo "  \"sha256\": \"$sum\","
  echo '  "definers": ['; printf '%s\n' "$definers" | sed 's/["\\]/\\&/g' | items; echo '  ],'
  echo '  "bound": ['; part bound | items; echo '  ],'
  echo '  "mentions": ['; part mentions | items; echo '  ],'
  echo '  "objects": ['; part object | items; echo '  ],'
} >"$job/manifest" &&
  printf '  "seal": "%s"\n}\n' "$(sha256sum <"$job/manifest" | cut -c 1-64)" >>"$job/manifest" &&
  sync "$job/manifest" &&
  mv "$job/part" "$folder/$file" &&
  mv "$job/manifest" "$folder/$file.manifest.json" ||
  fail "nothing was kept: the manifest could not be written"
stat -c '%s %Y %n' "$folder/$file" >"$job/made"

part bound | while IFS= read -r object; do
  echo "note: ${object/:/ } names its database where it is created: no restore under another name"
done
echo "$file: $(part object | wc -l) objects, $bytes bytes, sha256 ${sum:0:12}"
