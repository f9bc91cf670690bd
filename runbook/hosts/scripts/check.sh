# check FILE: a dump against its manifest; where its bytes differ, reads on to say how.
check() {
  local file=$1 sum
  manifest=$folder/$file.manifest.json ending=${file##*.}
  there "$folder/$file" || { defects+=("it is not there"); return; }
  plain "$folder/$file" || { defects+=("it is no plain file that can be read"); return; }
  there "$manifest" || { defects+=("it has no manifest"); return; }
  plain "$manifest" "$longest" || { defects+=("its manifest is no plain file that can be read"); return; }
  [ -s "$manifest" ] || { defects+=("it has no manifest"); return; }
  sealed || defects+=("its manifest was changed after it was written")
  [ "$(value file)" = "$file" ] || defects+=("its manifest is the one of $(value file)")
  exec 8<"$folder/$file"
  sum=$(sha256sum <&8 | cut -c 1-64)
  exec 8<&-
  [ ${#sum} -eq 64 ] && [ "$sum" = "$(value sha256)" ] || {
    defects+=("its checksum is not the manifest's")
    [ "$(stat -c %s "$folder/$file")" = "$(value bytes)" ] ||
      defects+=("it has $(stat -c %s "$folder/$file") bytes and not $(value bytes)")
    examine "$folder/$file" "$(listed)" "in the manifest"
  }
}
