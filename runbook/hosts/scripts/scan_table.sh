# A table's baseline is a folder. `ranges` has a line a range of keys: after which key, up to
# which, how many rows, and the SHA-256 of their SHA-256s in order (- while a finding is open).
# `rows` has a file a range, key and SHA-256 of each row, and `open` for what comes after them.
# `marks` has a line a scan: when it began, the last key that it saw, and the server's clock.
# Keys have 20 digits, so that their order as text is their order.

# from_to: turns lines of ranges into what sets the two variables, and their number.
from_to='{ printf "SET @watch_from = %s, @watch_to = %s;\n", ($1 == "-" ? "0" : "CAST(" $1 " AS UNSIGNED) + 1"), $2 }'

# questions N: SQL that sums up every range in the server, then asks for the rows after them.
questions() {
  SELECT="${selects[$1]}" awk "$from_to"'
    { printf "SELECT \047range\047, %d, COUNT(*), SHA2(GROUP_CONCAT(row_hash ORDER BY row_key SEPARATOR \047\047), 256)", NR
      printf " FROM (%s) AS watched;\n", ENVIRON["SELECT"] }' "$own/ranges"
  echo "SELECT 'clock', UNIX_TIMESTAMP();"
  printf '%s;\n' "${spans[$1]}"
  echo "SELECT 'negative', @watch_from FROM (SELECT 1 AS one) AS once WHERE @watch_from < 0;"
  [ -z "$last" ] || echo "SET @watch_from = CAST($last AS UNSIGNED) + 1;"
  echo "SELECT 'row', LPAD(row_key, 20, '0'), row_hash, COALESCE(${times[$1]}, '-') FROM (${selects[$1]}) AS watched ORDER BY row_key;"
}

# place N: sets the names of a table's folders.
place() { table=${names[$1]} own=$folder/baseline/${names[$1]} desk=$work/${names[$1]}; }

# compare N: each row of a table as its baseline has it and as it is; writes nothing of it yet.
compare() {
  local table own desk last settled asked before
  place "$1"
  if [ ! -s "$own/marks" ]; then
    [ "$mode" != scan ] || fail "$table has no baseline: it is gone, or was never taken"
    made=1
  fi
  asked=$(printf '%s' "${selects[$1]}" | sha256sum | cut -c 1-64)
  if [ -s "$own/question" ] && [ "$(cat "$own/question")" != "$asked" ]; then
    [ "$mode" = baseline ] || fail "$table is asked for otherwise than its baseline was: install the watch again, which takes a new one"
    rm -rf "$own" && made=1
  fi
  mkdir -p "$desk"/{rows,sums} "$own/rows" && touch "$desk"/{found,new} "$own"/{ranges,marks,rows/open} ||
    fail "$own cannot be written"
  last=$(tail -n 1 "$own/ranges" | cut -d ' ' -f 2)
  settled=$(awk -v before=$((began - settle)) '$1 <= before { key = $2 } END { print key }' "$own/marks")
  echo "$asked" >"$desk/question"
  before=$(tail -n 1 "$own/marks" | awk '{ print $3 }')
  questions "$1" | sql >"$desk/seen"
  asked $?
  ! grep -q '^negative' "$desk/seen" || fail "$table has keys below 0, which cannot be watched"
  # Always as text: awk would take some of these digits for numbers, and round them.
  awk -v FS='[ \t]' 'FILENAME == ARGV[1] { count[FNR] = $3; hash[FNR] = $4; line[FNR] = $0; next }
    $1 == "range" && (($3 "") != (count[$2] "") || ($4 "") != (hash[$2] "")) { print line[$2] }
    ' "$own/ranges" "$desk/seen" >"$desk/other" || fail "$table could not be compared"
  SELECT="${selects[$1]}" TIME="${times[$1]}" awk "$from_to"'
    { printf "SELECT LPAD(row_key, 20, \0470\047), row_hash, COALESCE(%s, \047-\047)", ENVIRON["TIME"]
      printf " FROM (%s) AS watched ORDER BY row_key;\n", ENVIRON["SELECT"] }
    ' "$desk/other" | sql | tr '\t' ' ' >"$desk/now"
  asked $?
  awk '$1 == "row" { print $2, $3, $4 }' "$desk/seen" >>"$desk/now" &&
    awk '$1 == "clock" { print $2 }' "$desk/seen" >"$desk/clock" && rm "$desk/seen" &&
    { cut -d ' ' -f 2 "$desk/other" | (cd "$own/rows" && xargs -r cat) &&
      awk -v last="$last" '($1 "") > (last "")' "$own/rows/open"; } >"$desk/old" ||
    fail "the baseline of $table cannot be read"
  join -a 1 -a 2 -e - -o 0,1.2,2.2,2.3 "$desk/old" "$desk/now" |
    awk -v table="$table" -v settled="$settled" -v accept="$accept" -v desk="$desk/" \
      -v oldest="${before:+$((${before%%.*} - settle))}" '
      function found(what, key) { key = $1; sub(/^0+/, "", key); sub(/^$/, "0", key)
        printf "%s\t%s\t%s\t%.16s\t%.16s\n", table, what, key, $2, $3 >(desk "found") }
      ($2 "") == ($3 "") { print $1, $2; next }
      { late = $2 == "-" && oldest != "" && $4 != "-" && $4 + 0 < oldest + 0 }
      $2 == "-" && ($1 "") > (settled "") && !late { print $1, $3; new++; next }
      { found($2 != "-" ? ($3 == "-" ? "deleted" : "changed") : ($1 "") > (settled "") ? "backdated" : "inserted") }
      accept == "" { print $1, $2 "!"; next }
      $3 != "-" { print $1, $3 }
      END { print new + 0 >(desk "new") }' >"$desk/kept" || fail "$table could not be compared"
  rm "$desk/old" "$desk/now"
  cat "$desk/found" >>"$work/findings"
  new=$((new + $(cat "$desk/new")))
}

# keep N: brings a table's baseline up to now. What is new is taken in; what was changed, deleted
# or slipped in stays as it was (lines that end with !) until it is accepted. Rows are written
# before the ranges that name them: cut off in between, the next scan finds its way by the rows.
keep() {
  local table own desk last most
  place "$1"
  last=$(tail -n 1 "$own/ranges" | cut -d ' ' -f 2)
  awk -v width="$width" -v last="$last" -v desk="$desk/" '
    function begin(to) { file = desk "rows/" to; sum = desk "sums/" to; printf "" >file; printf "" >sum; count = bad = 0 }
    function take(key, hash) {
      if (sub(/!$/, "", hash)) bad = 1
      if (hash == "-") return
      count++; print key, hash >file; printf "%s", hash >sum }
    function end(after, to) { close(file); close(sum); print after, to, count, (bad ? "-" : count ? "?" : "NULL") }
    function upto(key) { while (at < n && (!at || key == "" || (key "") > (t[at] ""))) {
      if (at) end(a[at], t[at]); begin(t[++at]) } }
    pass == 1 { a[++n] = $1; t[n] = $2; next }
    pass == 2 { if (($1 "") > (last "") && $2 ~ /!$/) dirty = 1; next }
    last != "" && ($1 "") <= (last "") { upto($1); take($1, $2); next }
    { k[++m] = $1; h[m] = $2 }
    m == width && !dirty {
      if (!cuts++) { upto(""); if (at) end(a[at], t[at]); at = n = 0; after = last == "" ? "-" : last }
      begin($1); for (i = 1; i <= m; i++) take(k[i], h[i]); end(after, $1); after = $1; m = 0 }
    END {
      if (!cuts) { upto(""); if (at) end(a[at], t[at]) }
      file = desk "open"; printf "" >file
      for (i = 1; i <= m; i++) { sub(/!$/, "", h[i]); if (h[i] != "-") print k[i], h[i] >file } }
    ' pass=1 "$desk/other" pass=2 "$desk/kept" pass=3 "$desk/kept" >"$desk/redone" &&
    (cd "$desk/sums" && find . -type f -exec sha256sum {} +) | sed 's|  \./| |' >"$desk/sha" &&
    awk 'FILENAME == ARGV[1] { sha[$2] = $1; next }
      FILENAME == ARGV[2] { redone[$2] = $1 " " $2 " " $3 " " ($4 == "?" ? sha[$2] : $4); order[++n] = $2; next }
      { known[$2] = 1; print ($2 in redone) ? redone[$2] : $0 }
      END { for (i = 1; i <= n; i++) if (!(order[i] in known)) print redone[order[i]] }
      ' "$desk/sha" "$desk/redone" "$own/ranges" >"$desk/ranges" &&
    find "$desk/rows" -type f -exec mv -f -t "$own/rows" {} + &&
    mv -f "$desk/ranges" "$own/ranges" && mv -f "$desk/open" "$own/rows/open" &&
    most=$( (tail -n 1 "$own/ranges" | cut -d ' ' -f 2; tail -n 1 "$own/rows/open" | cut -d ' ' -f 1) | tail -n 1) &&
    awk -v before=$((began - settle)) '$1 <= before { old = $0; next } { if (old) print old; old = ""; print }
      END { if (old) print old }' "$own/marks" >"$desk/marks" &&
    echo "$began ${most:-00000000000000000000} $(cat "$desk/clock")" >>"$desk/marks" &&
    mv -f "$desk/question" "$own/question" && mv -f "$desk/marks" "$own/marks" ||
    fail "the baseline of $table could not be written: is the disk full?"
  rows=$((rows + $(awk '{ rows += $3 } END { print rows + 0 }' "$own/ranges") + $(wc -l <"$own/rows/open")))
}
