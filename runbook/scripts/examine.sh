# What is wrong with a dump, a line each, goes to `defects`; what is in it to `found`.
defects=()
compress() { case $ending in zst) zstd -3 -T0 -cq ;; *) gzip -c ;; esac; }
unpack() { case $ending in zst) zstd -dcq ;; *) gzip -dcq ;; esac; }

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
  mapfile -t -O ${#defects[@]} defects < <(
    part defect
    absent "$2" "$objects" "is $3 and not in the dump"
    absent "$objects" "$2" "is in the dump and not $3"
  )
}
part() { printf '%s\n' "$found" | sed -n "s/^$1 //p" | sort -u; }
