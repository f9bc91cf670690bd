stage "checking the dump"
echo "$file" >"$job/name"
check "$file"
for defect in "${defects[@]}"; do echo "$file: $defect"; done
[ ${#defects[@]} -eq 0 ] || fail "nothing was loaded: $file is no backup any more: ${defects[0]}"

stage loading
# Without IF NOT EXISTS: a database that is there is an error, and nothing is touched.
sql <<<"$create" || fail "nothing was loaded: the database $into could not be created"

left="$into was made here, holds nothing else and may go: $drop"
exec 8<"$folder/$file"
# A client may repeat the statement that failed, which can be a megabyte of rows.
said=$({ unpack <&8 | sed '1{/999999/d}' | sql --binary-mode --max-allowed-packet=1G "$into"
  statuses="${PIPESTATUS[*]}"; } 2>&1 >/dev/null; printf '\n%s' "$statuses")
exec 8<&-
printf '%s\n' "${said%$'\n'*}" | awk '/^(ERROR|zstd|gzip)/ { print substr($0, 1, 500) }'
if [ "${said##*$'\n'}" != "0 0 0" ]; then
  case $said in
    *"ERROR 1227 "*) why=": an object has a DEFINER that this account may not set" ;;
    *"ERROR 1418 "* | *"ERROR 1419 "*) why=": the server wants log_bin_trust_function_creators = 1" ;;
    *) why="" ;;
  esac
  fail "$file was not loaded$why; $left"
fi

stage comparing
wanted=$(listed)
loaded=$(objects_on_server "$into") || fail "the objects of $into could not be listed; $left"
compare "$wanted" "$loaded" "is in the dump and not in $into" "is in $into and not in the dump"
[ ${#defects[@]} -eq 0 ] || fail "${defects[@]}" "${defects[0]}; $left"
# A copy whose events run would be a second application.
events=$(sql "$into" <<'SQL'
SET SESSION sql_mode = '', sql_select_limit = 18446744073709551615;
SELECT CONCAT('ALTER EVENT `', REPLACE(EVENT_NAME, '`', '``'), '` DISABLE;')
FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE() AND STATUS = 'ENABLED';
SQL
) || fail "the events of $into could not be listed: they may run; $left"
if [ -n "$events" ]; then
  sql "$into" <<<"$events" || fail "the events of $into could not be disabled: they run"
  echo "disabled in $into: $(printf '%s\n' "$events" | wc -l) events"
fi
echo "$into: $(printf '%s\n' "$wanted" | grep -c .) objects, as in the manifest of $file"
