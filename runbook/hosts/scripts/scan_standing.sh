export LC_ALL=C PATH="$PATH:/usr/local/bin:/usr/sbin:/sbin"
now=$(date +%s) ran=$(cat "$folder/ran" 2>/dev/null || echo 0) last=$(head -n 1 "$folder/last.json" 2>/dev/null || :)
part() { sed -nE "s/.*\"$1\": $2.*/\1/p" <<<"$last"; }
# wrong KEY EXPECTED ACTUAL: one more thing that is not as it should be; the texts are JSON's already.
wrong() { found+="${found:+, }{\"where\": \"watch\", \"what\": \"check\", \"key\": \"$1\", \"expected\": \"$2\", \"actual\": \"$3\"}" why+="${why:+; }$1: $3"; }
# What the last scan has listed stands first.
found=$(part findings '\[(.*)\]\}') why=''

outcome=$(part outcome '"([a-z]+)"') message=$(part message '"(([^"\\]|\\.)*)"')
case $outcome in
  clean | baseline) ;;
  '') wrong "the last scan" clean "no scan has ever run" ;;
  *) wrong "the last scan" clean "$outcome: $message" ;;
esac
due=$(((2 * every + 60) / 60))
if [ "$ran" = 0 ]; then
  wrong "the last scan that ended well" "at most $due min ago" never
elif [ $((now - ran)) -gt $((2 * every + 60)) ]; then
  wrong "the last scan that ended well" "at most $due min ago" "$(((now - ran) / 60)) min ago"
fi
runs() {
  # A line that somebody has commented out runs nothing.
  ! crontab -l 2>/dev/null | grep -F "# $mark" | grep -qv '^[[:space:]]*#' || return 0
  user=(--user)
  [ "$(id -u)" != 0 ] || user=()
  export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
  systemctl "${user[@]}" is-active --quiet "$mark.timer" 2>/dev/null
}
[ "$scheduler" = own ] || runs || wrong "what runs it" "$scheduler" nothing

printf '{"findings": [%s]}\n' "$found"
if [ -n "$found" ]; then echo "the watch is not in place: ${why:-its last scan found something}"; exit 1; fi
echo "$(((now - ran) / 60)) min ago, $outcome: $message"
