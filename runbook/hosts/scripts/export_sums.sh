# Sums up the files of an export, of each at most a byte more than its manifest says it has.
export LC_ALL=C
cd -- "$folder" || exit 0
for at in "${!files[@]}"; do
  file=./${files[at]}
  if plain "$file"; then
    sum=$(head -c "$((sizes[at] + 1))" -- "$file" | sha256sum)
    echo "file ${sum%% *} ${files[at]}"
  elif there "$file"; then echo "unread ${files[at]}"
  fi
done
