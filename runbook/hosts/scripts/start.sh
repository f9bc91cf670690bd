umask 077
# The database account arrives on standard input and goes on through a pipe: it is
# in no argument, no environment and no file.
options=$(cat)
for program in awk date df flock od sed setsid sha256sum sort stat tail; do
  command -v "$program" >/dev/null || { echo "$program is not on PATH here" >&2; exit 1; }
done
[ -d "$folder" ] || mkdir -p "$folder"
case $(stat -L -c %a "$folder") in
  *00) ;;
  *) echo "$folder is open to others: chmod 700 it, or name a folder of its own" >&2; exit 1 ;;
esac
mkdir -p "$job"
# Whoever holds this lock is the job; the kernel takes it back when the job dies.
exec 9>>"$job/lock"
if ! { flock -n 9 || { sleep 1; flock -n 9; }; }; then  # a watcher tries it for a moment
  echo "attached: it is running already"; exit 0
fi
if [ "$(cat "$job/status" 2>/dev/null)" = 0 ] && [ -s "$job/made" ] &&
  read -r size modified made <"$job/made" &&
  [ "$(stat -c '%s %Y' "$made" 2>/dev/null)" = "$size $modified" ] && [ -e "$made.manifest.json" ] &&
  [ $(($(date +%s) - $(stat -c %Y "$job/status"))) -lt "$attach" ]; then
  echo "attached: it ended well while nobody watched"; exit 0
fi
rm -f "$job"/{script,log,pid,stage,name,made,status,part,ca.pem}
