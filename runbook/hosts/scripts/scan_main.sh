mode=${1:-$mode} wanted=${2:-$wanted} accept=''
[ "$mode" != accept ] || accept=yes
mkdir -p "$folder" && cd "$folder" || exit 2
case $(stat -L -c %a .) in *00) ;; *) echo "$folder is open to others: chmod 700 it" >&2; exit 2 ;; esac
exec 8>>lock
# A scan of the timetable leaves a running one alone; a person waits for it.
if [ "$mode" = scan ]; then flock -n 8 || exit 0; else flock -w "$limit" 8 || { echo "another scan runs" >&2; exit 2; }; fi
rm -rf .scan.*
work=$(mktemp -d "$PWD/.scan.XXXXXX") && : >"$work/findings" || exit 2
trap 'rm -rf "$work"' EXIT
folder=$PWD

[ -r "$credentials" ] || fail "$credentials cannot be read"
case $(stat -L -c %a "$credentials") in *00) ;; *) fail "$credentials can be read by others: chmod 600 it" ;; esac
for ((n = 0; n < ${#names[@]}; n++)); do compare "$n"; done
for check in "${checks[@]}"; do
  printf '%s;\n' "$check" | sql >"$work/checked"
  asked $?
  [ -s "$work/checked" ] || fail "a check returned no row, so it proves nothing"
  awk -F '\t' -v OFS='\t' '($2 "") != ($3 "") { print "check", "differs", $1, $2, $3 }' "$work/checked" >>"$work/findings"
done
if [ -n "$accept" ] && [ "$(digest)" != "$wanted" ]; then
  conclude alert 1 "nothing was accepted: what is found now is not what was shown"
fi
for ((n = 0; n < ${#names[@]}; n++)); do keep "$n"; done
baseline=$(cat baseline/*/ranges baseline/*/rows/open | sha256sum | cut -c 1-12)

last=$(cat ran 2>/dev/null) && [ $((began - last)) -le $((2 * every + 60)) ] || missed=$((began - ${last:-$began}))
[ "$made" = 0 ] || missed=0
echo "$began" >"$work/ran" && mv -f "$work/ran" ran
found=$(wc -l <"$work/findings")
if [ -n "$accept" ]; then
  sed -i '/^check\t/!d' "$work/findings"  # a check goes by its file, not by the baseline
  [ -s "$work/findings" ] || conclude clean 0 "$found findings accepted: $rows rows are the baseline now"
  found=$(wc -l <"$work/findings")
fi
[ "$found" = 0 ] || conclude alert 1 "$found findings: $(cut -f 2 "$work/findings" | sort | uniq -c | awk '{ printf "%s%s %s", (NR > 1 ? ", " : ""), $1, $2 }')"
[ "$missed" = 0 ] || conclude alert 1 "no scan ran between $(at "$last") and now; no row was changed, deleted or slipped in"
[ "$made" = 0 ] || conclude baseline 0 "$rows rows are the baseline now; nothing was compared"
conclude clean 0 "$rows rows, $new of them new; nothing was changed, deleted or slipped in"
