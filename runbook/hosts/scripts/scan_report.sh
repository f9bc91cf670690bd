export LC_ALL=C
if [ ! -s "$folder/last.json" ]; then echo "no scan has ever run here"; exit 1; fi
cat "$folder/last.json"
now=$(date +%s) ran=$(cat "$folder/ran" 2>/dev/null || echo 0)
message=$(sed -E 's/.*"outcome": "([a-z]+)", "message": "(([^"\\]|\\.)*)".*/\1: \2/; s/\\(.)/\1/g' "$folder/last.json")
status=0
case $message in clean:* | baseline:*) ;; *) status=1 ;; esac
if [ $((now - ran)) -gt $((2 * every + 60)) ]; then
  echo "the last scan ended well $(((now - ran) / 60)) min ago, and one is due every $((every / 60)) min; it said $message"
  exit 1
fi
echo "$(((now - ran) / 60)) min ago, $message"
exit "$status"
