# report JOB: what a job's folder tells about it, a line a fact, then the end of its log.
report() {
  local job=$1 state=none fact pid position
  if [ ! -e "$job/lock" ]; then echo "state none"; return; fi
  if [ -s "$job/status" ]; then state=ended
  elif ! flock -n -s "$job/lock" true; then state=running
  elif [ -s "$job/status" ]; then state=ended
  elif [ -e "$job/log" ]; then state=died
  fi
  echo "state $state"
  for fact in status stage name; do
    if [ -s "$job/$fact" ]; then echo "$fact $(head -n 1 "$job/$fact")"; fi
  done
  if [ -e "$job/script" ]; then echo "seconds $(($(date +%s) - $(stat -c %Y "$job/script")))"; fi
  if [ -e "$job/status" ]; then echo "ended $(($(date +%s) - $(stat -c %Y "$job/status")))"; fi
  if [ -e "$job/part" ]; then echo "done $(stat -c %s "$job/part")"; fi
  # Descriptor 8 is the file that is being read: its position is how far the reading is.
  pid=$(cat "$job/pid" 2>/dev/null) || true
  if position=$(sed -n 's/^pos:[^0-9]*//p' "/proc/${pid:-none}/fdinfo/8" 2>/dev/null); then
    echo "done $position"
    echo "total $(stat -L -c %s "/proc/$pid/fd/8")"
  fi
  if [ -e "$job/log" ]; then tail -c 20000 "$job/log" | tail -n 20 | sed 's/^/| /'; fi
}
