printf '%s\n' "$options" | setsid bash -uo pipefail "$job/script" >"$job/log" 2>&1 3<&- &
echo started
