stage "checking the dump"
echo "$file" >"$job/name"
check "$file"
if [ ${#defects[@]} -gt 0 ]; then
  for defect in "${defects[@]}"; do echo "$file: $defect"; done
  fail "nothing was loaded: $file is no backup any more"
fi

# Without IF NOT EXISTS: a database that is there is an error, and nothing is touched.
sql() { "$client" --defaults-file=<(account) --default-character-set=utf8mb4 -NBr "$@"; }
sql -e "$create" || fail "nothing was loaded: $into could not be created"

left() { fail "$@" "$into is incomplete. It was created here and holds nothing else: $drop"; }
stage loading
exec 8<"$folder/$file"
unpack <&8 | sed '1{/999999/d}' | sql --binary-mode --max-allowed-packet=1G "$into"
statuses="${PIPESTATUS[*]}"
exec 8<&-
if [ "$statuses" != "0 0 0" ]; then
  case $(tail -n 5 "$job/log") in
    *"ERROR 1227 "*) echo "an object has a DEFINER that this account may not set" ;;
    *"ERROR 1419 "*) echo "the server wants log_bin_trust_function_creators=1 for routines and triggers" ;;
  esac
  left "$file was not loaded"
fi

stage comparing
loaded=$(objects_on_server "$into") || left "the objects of $into could not be listed"
wanted=$(listed)
mapfile -t defects < <(
  absent "$wanted" "$loaded" "is in the dump and not in $into"
  absent "$loaded" "$wanted" "is in $into and not in the dump"
)
[ ${#defects[@]} -eq 0 ] || left "${defects[@]}" "$file was loaded and ${#defects[@]} objects differ"
# A copy whose events run would be a second application.
events=$(sql "$into" -e "SELECT CONCAT('ALTER EVENT \`', REPLACE(EVENT_NAME, '\`', '\`\`'), '\` DISABLE;')
  FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() AND STATUS = 'ENABLED'")
if [ -n "$events" ]; then
  sql "$into" -e "$events" || fail "the events of $into could not be disabled: they run"
  echo "disabled in $into: $(printf '%s\n' "$events" | wc -l) events"
fi
echo "$into: $(printf '%s\n' "$wanted" | grep -c .) objects, as in the manifest of $file"
