setsid bash -eo pipefail "$job/script" >"$job/log" 2>&1 3<&- &
echo started
