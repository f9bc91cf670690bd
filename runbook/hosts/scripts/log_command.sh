# Runs the command for what was logged since the time that standard input names:
#   since TIME       such as 2025-12-17T10:00:00Z
#   length BYTES     at most so many
export LC_ALL=C
since= length=0
while read -r word rest; do
  case $word in since) since=$rest ;; length) length=$rest ;; esac
done
export since
echo "clock $(date '+%s.%N %z')"
echo data
bash -eo pipefail -c "$command" </dev/null | head -c "$length" || [ $? = 141 ]  # who had more to send ended so
