for program in date flock setsid stat tail; do
  command -v "$program" >/dev/null || { echo "$program is not on PATH here" >&2; exit 1; }
done
(umask 077 && mkdir -p "$job")
# The job and all that it starts hold this lock; the kernel takes it back when they are gone.
exec 9>>"$job/lock"
if ! { flock -n 9 || { sleep 1; flock -n 9; }; }; then  # a watcher tries it for a moment
  if [ -s "$job/status" ] && ! flock -w 10 9; then
    echo "it has ended, but something that it started still runs and holds $job/lock" >&2; exit 1
  fi
fi
if ! flock -n 9; then
  if [ "$(cat "$job/name" 2>/dev/null)" != "$name" ]; then
    echo "something else is running in $job: $(tail -n 2 "$job/script" | head -n 1)" >&2; exit 1
  fi
  echo "attached: it is running already"; exit 0
fi
if [ "$once" = yes ] && [ "$(cat "$job/status" 2>/dev/null)" = 0 ] &&
  [ "$(cat "$job/name")" = "$name" ]; then
  echo "attached: it ended well while nobody watched"; exit 0
fi
rm -f "$job"/{script,log,pid,status}
echo "$name" >"$job/name"
