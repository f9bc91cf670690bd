exec </dev/null
echo $$ >"$job/pid"
finish() {
  local status=$?
  echo "$status" >"$job/status.new" && mv -f "$job/status.new" "$job/status"
}
trap finish EXIT
