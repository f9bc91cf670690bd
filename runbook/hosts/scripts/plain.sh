# plain FILE [MOST]: whether it is a file that can be read, no link, and of at most so many bytes.
# Nothing else is opened: a FIFO or a link to /dev/zero would be read for ever.
plain() {
  [ -f "$1" ] && [ ! -L "$1" ] && [ -r "$1" ] && [ "$(stat -c %s -- "$1")" -le "${2:-$((1 << 62))}" ]
}
there() { [ -e "$1" ] || [ -L "$1" ]; }
# What a time in the name of a dump or an export is like, such as 20251217T101112Z.
digit='[0-9]'
any_stamp=$digit$digit$digit$digit$digit$digit$digit${digit}T$digit$digit$digit$digit$digit${digit}Z
