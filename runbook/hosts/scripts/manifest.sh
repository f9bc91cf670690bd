# value KEY: one value of the manifest in hand. listed: the objects it names.
value() { sed -n "s/^  \"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}\$/\1/p" "$manifest"; }
listed() { sed -n '/^  "objects": \[$/,/^  \]/s/^    "\(.*\)",\{0,1\}$/\1/p' "$manifest" | sort -u; }
# sealed: whether the manifest is as it was written.
sealed() {
  local seal
  seal=$(value seal)
  [ ${#seal} -eq 64 ] && [ "$(sed '/^  "seal":/,$d' "$manifest" | sha256sum | cut -c 1-64)" = "$seal" ]
}
