umask 077
options=$(cat)
exec </dev/null
export LC_ALL=C MYSQL_TEST_LOGIN_FILE=/dev/null
echo $$ >"$job/pid"
[ -z "$ca" ] || printf '%s\n' "$ca" >"$job/ca.pem"

account() { printf '%s\n' "$options" "${transport[@]}"; }
stage() { echo "$1" >"$job/stage"; }
fail() { printf '%s\n' "$@"; exit 1; }
# The half-made dump goes first: on a full disk that makes room to say how it ended.
finish() {
  local status=$?
  rm -f "$job/part" "$job/ca.pem"
  echo "$status" >"$job/status.new" && mv -f "$job/status.new" "$job/status"
}
trap finish EXIT

# ended PROGRAM STATUS: says how a program ended, where that was not well.
ended() {
  case $2 in
    0) ;;
    12[89] | 1[3-9]? | 2??) echo "$1 ended with status $2 (signal $(kill -l $(($2 - 128)) 2>/dev/null))" ;;
    *) echo "$1 ended with status $2" ;;
  esac
}
