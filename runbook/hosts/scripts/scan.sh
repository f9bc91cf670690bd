set +e -uo pipefail
umask 077
export LC_ALL=C PATH="${PATH:-/usr/bin:/bin}:/usr/local/bin:/usr/bin:/bin"
began=$(date +%s) rows=0 new=0 missed=0 made=0 baseline=''
at() { date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ; }
text() { local text; text=$(printf '%s' "$1" | tr '\000-\037' ' ' | sed 's/["\\]/\\&/g'); printf '"%s"' "$text"; }

# conclude OUTCOME STATUS MESSAGE: tells it all, a JSON line and one for people; alerts; ends.
conclude() {
  local outcome=$1 status=$2 message=$3 digest='' json
  [ ! -s "$work/findings" ] || digest=$(digest)
  [ "$outcome" != failed ] || digest=$(printf '%s' "$message" | sha256sum | cut -c 1-12)
  json=$(
    printf '{"watch": %s, "at": "%s", "epoch": %s, "seconds": %s, "outcome": "%s", "message": %s, ' \
      "$(text "$label")" "$(at "$began")" "$began" $(($(date +%s) - began)) "$outcome" "$(text "$message")"
    printf '"rows": %s, "new": %s, "missed": %s, "digest": "%s", "baseline": "%s", "found": %s, "findings": [' \
      "$rows" "$new" "$missed" "$digest" "$baseline" "$(wc -l <"$work/findings")"
    head -n 100 "$work/findings" | while IFS=$'\t' read -r where what key expected actual; do
      printf '%s{"where": %s, "what": "%s", "key": %s, "expected": %s, "actual": %s}' "${comma-}" \
        "$(text "$where")" "$what" "$(text "$key")" "$(text "$expected")" "$(text "$actual")"
      comma=', '
    done
    printf ']}'
  )
  printf '%s\n' "$json" >"$work/last" && mv -f "$work/last" "$folder/last.json"
  mv -f "$work/findings" "$folder/findings.tsv"
  tell "$outcome" "$digest" "$json"
  printf '%s\n%s\n' "$json" "$outcome: $message"
  exit "$status"
}
fail() { conclude failed 2 "$1"; }
digest() { sha256sum <"$work/findings" | cut -c 1-12; }

# tell OUTCOME DIGEST JSON: alerts, and again when what was found is new or a day has gone by.
tell() {
  case $1 in
    clean | baseline)
      rm -f "$folder/alerted"
      [ -z "$heartbeat" ] || printf '%s\n' "$3" | timeout 60 bash -eo pipefail -c "$heartbeat" >/dev/null 2>&1 8>&- ;;
    *)
      if [ -n "$alert" ] && { [ "$(cat "$folder/alerted" 2>/dev/null)" != "$2" ] ||
        [ $((began - $(stat -c %Y "$folder/alerted" || echo 0))) -ge 86400 ]; }; then
        if printf '%s\n' "$3" | timeout 60 bash -eo pipefail -c "$alert" >"$work/alert" 2>&1 8>&-; then
          printf '%s\n' "$2" >"$folder/alerted"
        else
          echo "the alert command failed: $(tail -n 1 "$work/alert")" >&2
        fi
      fi ;;
  esac
}

# sql: runs the statements of standard input in one session that the server keeps read-only.
sql() {
  { echo "SET SESSION TRANSACTION READ ONLY; SET SESSION autocommit = 1, time_zone = '+00:00',
      sql_mode = '', sql_select_limit = 18446744073709551615, group_concat_max_len = 16777216;"; cat; } |
    timeout "$limit" "$client" --defaults-file="$credentials" --batch --skip-column-names --quick \
      --skip-reconnect --connect-timeout=10 --default-character-set=utf8mb4 "$database" 2>"$work/said"
}
asked() {
  [ "$1" = 0 ] ||
    fail "the database could not be asked: $(grep -v Warning "$work/said" | tail -n 1 | grep . || echo "status $1")"
}
