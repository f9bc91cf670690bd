export LC_ALL=C
for program in "${programs[@]}"; do
  command -v "$program" >/dev/null || echo "missing $program"
done
at=$folder
while [ ! -e "$at" ] && [ "$at" != . ] && [ "$at" != / ]; do at=$(dirname -- "$at"); done
{ [ -d "$at" ] && [ -w "$at" ] && [ -x "$at" ]; } || echo "closed $at"
echo "free $(df -Pk -- "$at" | tail -n 1 | sed 's/.*[^0-9]\([0-9][0-9]*\)  *[0-9][0-9]*% .*/\1/')"
if [ -e "$folder/.runbook/turn" ]; then echo "turn $(cat "$folder/.runbook/turn")"; fi
report "$folder/.runbook/fetch" | sed 's/^/fetch /'
report "$folder/.runbook/install" | sed 's/^/install /'
