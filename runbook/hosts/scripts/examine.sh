# What is wrong with a dump, a line each, goes to `defects`; what is in it to `found`.
export LC_ALL=C
defects=()
compress() { case $ending in zst) zstd -3 -T0 -cq ;; *) gzip -c ;; esac; }
unpack() { case $ending in zst) zstd -dcq ;; *) gzip -dcq ;; esac; }

# compare A B ONLY_A ONLY_B: a defect for each object that only one of two sorted lists has.
compare() {
  local known=${#defects[@]}
  [ "$1" != "$2" ] || return 0
  mapfile -t -O "$known" defects < <(only "$1" "$2" "$3"; only "$2" "$1" "$4")
  [ ${#defects[@]} -gt "$known" ] || defects+=("its objects could not be compared")
}
only() {
  WHAT=$3 awk 'NR == FNR { there[$0]; next }
    $0 != "" && !($0 in there) { sub(/:/, " "); print $0 " " ENVIRON["WHAT"] }' \
    <(printf '%s\n' "$2") <(printf '%s\n' "$1")
}

# examine FILE OBJECTS WHERE: reads the whole dump and compares it with the OBJECTS.
examine() {
  local is statuses
  [ -s "$1" ] || { defects+=("it is empty"); return; }
  case $(head -c 4 "$1" | od -An -tx1 | tr -d ' \n') in
    28b52ffd) is=zst ;;
    1f8b*) is=gz ;;
    *) is="not compressed" ;;
  esac
  [ "$is" = "$ending" ] || { defects+=("it is called .$ending and its content is $is"); return; }
  exec 8<"$1"
  found=$(unpack <&8 2>/dev/null | objects_in_dump "$database"; echo "statuses ${PIPESTATUS[*]}")
  exec 8<&-
  statuses=${found##*statuses }
  [ "${statuses%% *}" = 0 ] ||
    defects+=("it cannot be unpacked to its end: $(unpack 2>&1 >/dev/null <"$1" | tail -n 1)")
  [ "${statuses##* }" = 0 ] || defects+=("its text could not be read (awk ended with ${statuses##* })")
  objects=$(part object)
  mapfile -t -O ${#defects[@]} defects < <(part defect)
  compare "$2" "$objects" "is $3 and not in the dump" "is in the dump and not $3"
}
part() { printf '%s\n' "$found" | sed -n "s/^$1 //p" | sort -u; }
