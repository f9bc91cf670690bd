set +e  # a program that fails here is something to tell, not the end
check "$file"
if [ ${#defects[@]} -gt 0 ]; then
  for defect in "${defects[@]}"; do echo "$file: $defect"; done
  echo "It is no backup any more. Move it and its manifest out of $folder, then run again."
  exit 1
fi
echo "$file: every byte as it was verified, sha256 $(value sha256 | cut -c 1-12)"
