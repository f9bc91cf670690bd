# Lists the files of a log, then sends what standard input asks for:
#   heads INODE …                   those files also show how they begin
#   read INODE START LENGTH NAME    bytes of one of them, unpacked
export LC_ALL=C
shopt -s nullglob
heads=' ' wanted=
while read -r word rest; do
  case $word in heads) heads=" $rest " ;; read) wanted=$rest ;; esac
done
echo "clock $(date '+%s.%N %z')"
unpacked() { # NAME <FILE
  case $1 in *.gz) gzip -dc ;; *.zst) zstd -dcq ;; *.xz) xz -dc ;; *.bz2) bzip2 -dc ;; *) cat ;; esac
}
same() { [ "$(stat -L -c %i /dev/fd/4)" = "$1" ]; } # the open file is still the one meant
files=()
for path in "$folder"/"$stem"*; do
  if [[ ${path##*/} =~ ^($names)$ ]] && [ -f "$path" ]; then files+=("$path"); fi
done
if [ ${#files[@]} -gt 0 ]; then
  while read -r inode size changed born path; do
    head=-
    if [ ! -r "$path" ]; then
      head='!'
    elif [[ $heads == *" $inode "* ]] && { exec 4<"$path"; } 2>/dev/null && same "$inode"; then
      head=$({ unpacked "$path" <&4 | head -c 512 | base64 -w 0; } 2>/dev/null) || :
      if [ -z "$head" ]; then case $path in *.gz | *.zst | *.xz | *.bz2) head='!' ;; esac; fi
    fi
    echo "file $inode $size $changed $born ${head:-=} ${path##*/}"
  done < <(stat -L -c '%i %s %Y %W %n' -- "${files[@]}" 2>/dev/null)
fi
if [ -n "$wanted" ]; then
  read -r inode start length name <<<"$wanted"
  if { exec 4<"$folder/$name"; } 2>/dev/null && same "$inode"; then
    echo data
    case $name in
      *.gz | *.zst | *.xz | *.bz2) unpacked "$name" <&4 | tail -c "+$((start + 1))" | head -c "$length" ;;
      *) tail -c "+$((start + 1))" <&4 | head -c "$length" ;;
    esac || [ $? = 141 ]  # who had more to send when enough was sent ended so
  fi
fi
