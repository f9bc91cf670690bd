# follow JOB: the job's state, then whole lines of its log from the byte that is read
# from standard input, then its report once the job has ended.
follow() {
  local job=$1 from state chunk size=0 most=262144
  read -r from
  state=$(report "$job" | grep -v '^|')
  printf '%s\n' "$state"
  if [ -e "$job/log" ]; then size=$(stat -c %s "$job/log"); fi
  # Bytes, not characters; bash cannot hold a NUL, and drops the line breaks at the end.
  chunk=$(tail -c "+$((from + 1))" "$job/log" 2>/dev/null | head -c "$most" | tr '\0' '?'; echo .)
  chunk=${chunk%.}
  if [[ $state == "state running"* || ${#chunk} -eq $most ]] && [[ $chunk == *$'\n'* ]]; then
    chunk=${chunk%$'\n'*}$'\n'
  elif [[ $state == "state running"* && ${#chunk} -lt $most ]]; then
    chunk=
  fi
  echo "at $((from + ${#chunk}))"
  echo "size $size"
  [ -z "$chunk" ] || printf '%s\n' "${chunk%$'\n'}" | sed 's/^/> /'
  if [[ $state != "state running"* ]] && [ -e "$job/report" ]; then head -c 16777216 "$job/report" | sed 's/^/= /'; fi
}
