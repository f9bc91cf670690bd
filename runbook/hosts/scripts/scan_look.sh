export LC_ALL=C PATH="$PATH:/usr/local/bin:/usr/sbin:/sbin"
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
folder=$(absolute "$folder") credentials=$(absolute "$credentials")
echo "now $(date +%s)"
echo "uid $(id -u)"
echo "home $HOME"
echo "folder $folder"
echo "credentials $credentials"
[ ! -e "$credentials" ] || echo "access $(stat -L -c '%a %U' "$credentials") $(id -un)"
for program in "${clients[@]}"; do
  if found=$(command -v "$program"); then echo "client $found"; break; fi
done
for program in awk flock join mktemp sed sha256sum sort stat timeout xargs; do
  command -v "$program" >/dev/null || echo "missing $program"
done
[ ! -e "$folder/watch.sh" ] || echo "script $(sha256sum <"$folder/watch.sh" | cut -c 1-64)"
[ ! -d "$folder/baseline" ] || echo "baseline yes"
if command -v crontab >/dev/null; then
  echo "cron yes"
  crontab -l 2>/dev/null | grep -F "# $mark" | sed 's/^/line /' || :
fi
if command -v systemctl >/dev/null; then
  user=(--user) units=$HOME/.config/systemd/user
  [ "$(id -u)" != 0 ] || user=() units=/etc/systemd/system
  export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
  echo "systemd $(systemctl "${user[@]}" is-system-running 2>/dev/null || :)"
  [ ! -e "/var/lib/systemd/linger/$(id -un)" ] || echo "linger yes"
  if [ -e "$units/$mark.timer" ]; then
    echo "units $(cat "$units/$mark.service" "$units/$mark.timer" | sha256sum | cut -c 1-64)"
    echo "timer $(systemctl "${user[@]}" is-active "$mark.timer" 2>/dev/null || :)"
  fi
fi
[ ! -s "$folder/ran" ] || echo "ran $(cat "$folder/ran")"
[ ! -s "$folder/last.json" ] || echo "last $(head -n 1 "$folder/last.json")"
