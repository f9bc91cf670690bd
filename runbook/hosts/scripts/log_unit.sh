# Sends entries of a unit's journal, as standard input asks for them:
#   since SECONDS    from then on
#   after CURSOR     or those behind this one
#   lines COUNT      at most so many
export LC_ALL=C
since=0 after= lines=0
while read -r word rest; do
  case $word in since) since=$rest ;; after) after=$rest ;; lines) lines=$rest ;; esac
done
from=(--since="@$since")
if [ -n "$after" ]; then from=(--after-cursor="$after"); fi
echo "clock $(date '+%s.%N %z')"
echo data
journalctl --quiet --no-pager --all --unit="$unit" --output=json --output-fields=MESSAGE,PRIORITY \
  "${from[@]}" | head -n "$lines" || [ $? = 141 ]  # who had more to send ended so
