# objects_in_dump DATABASE: reads the SQL of a dump and prints the objects it creates
# (object), which of them name the database themselves (bound: where they are created;
# mentions: in their text), its size, and what is wrong with it (defect).
#
# A statement ends where its delimiter ends a line. Only its beginning is looked at,
# so that what stands in a body, a comment or a row is never taken for an object.
objects_in_dump() {
  DATABASE=$1 awk '
    function more() { K = "more"; return 0 }
    function unclosed() { open = 1; return more() }
    # token(): takes the next word (K w), quoted name (q) or sign (p) of `rest` into T.
    function token(  n, c) {
      while (1) {
        if (match(rest, /^[ \t\r\n]+/)) rest = substr(rest, RLENGTH + 1)
        else if (match(rest, /^\/\*M?![0-9]*/)) rest = substr(rest, RLENGTH + 1)
        else if (substr(rest, 1, 2) == "*/") rest = substr(rest, 3)
        else if (substr(rest, 1, 2) == "/*") {
          if (!(n = index(rest, "*/"))) return unclosed()
          rest = substr(rest, n + 2)
        } else if (rest ~ /^(#|--[ \t])/) {
          if (!(n = index(rest, "\n"))) return more()
          rest = substr(rest, n + 1)
        } else break
      }
      if (rest == "") return more()
      c = substr(rest, 1, 1)
      if (index("`\"\047", c)) {
        T = ""
        for (n = 2; n <= length(rest); n++) {
          if (substr(rest, n, 1) != c) T = T substr(rest, n, 1)
          else if (substr(rest, n + 1, 1) == c) { T = T c; n++ }
          else { rest = substr(rest, n + 1); K = "q"; return 1 }
        }
        return unclosed()
      }
      if (match(rest, /^[^ \t\r\n`"\047.,;()@=*\/]+/)) K = "w"
      else { RLENGTH = 1; K = "p" }
      T = substr(rest, 1, RLENGTH)
      rest = substr(rest, RLENGTH + 1)
      return 1
    }
    function word() { return token() && K == "w" ? toupper(T) : "" }
    # name(): takes a name that may have its database in front; `qualified` says whether.
    function name(  found) {
      if (!token()) return ""
      found = T
      if (match(rest, /^[ \t\r\n]*\./)) {
        rest = substr(rest, RLENGTH + 1)
        qualified = 1
        if (!token()) return ""
        found = T
      }
      return found
    }
    function json(text,  n, c, out) {
      for (n = 1; n <= length(text); n++) {
        c = substr(text, n, 1)
        out = out (c == "\\" ? "\\\\" : c == "\"" ? "\\\"" : c == "\n" ? "\\n" : \
          c == "\t" ? "\\t" : c == "\r" ? "\\r" : c)
      }
      return out
    }
    # parse(): 1 when the statement so far is understood, 0 when its next line is needed.
    function parse(  kind, found) {
      rest = statement
      qualified = open = 0
      word()
      for (kind = ""; kind == "";) {
        kind = word()
        if (K == "more") return open = 0
        if (kind !~ (delimiter == ";" ? tables : routines)) kind = ""
      }
      found = name()
      if (kind == "PACKAGE" && K == "w" && toupper(found) == "BODY") {
        kind = "PACKAGE BODY"
        found = name()
      }
      if (K == "w" && toupper(found) == "IF") { word(); word(); found = name() }
      if (kind == "TRIGGER") {
        while (K != "more" && word() != "ON");
        if (K != "more") name()
      }
      if (K == "more") return 0
      object = tolower(kind) ":" json(found)
      print "object " object
      if (qualified) print "bound " object
      return 1
    }
    function mentions(line) {
      line = tolower(line)
      return index(line, "`" tolower(database) "`.") || line ~ plain
    }
    BEGIN {
      tables = "^(TABLE|SEQUENCE|VIEW)$"
      routines = "^(TRIGGER|EVENT|PROCEDURE|FUNCTION|PACKAGE|LIBRARY)$"  # only these change the delimiter
      delimiter = ";"
      fresh = 1
      database = ENVIRON["DATABASE"]
      plain = tolower(database)
      gsub(/[^a-z0-9_]/, ".", plain)
      plain = "(^|[^a-z0-9_`$])" plain "[.][`a-z_]"
    }
    { bytes += length($0) + 1 }
    !fresh && told && !/;$/ { next }   # rows, the most of a dump
    complete && $0 != "" { after = 1 }
    fresh {
      head = substr($0, 1, 80)
      if (head == "" || head ~ /^--( |$)/ || head ~ /^\/\*M?!999999/) {
        if (delimiter == ";" && head ~ /^-- Dump completed/) complete = 1
        next
      }
      if (head ~ /^DELIMITER /) { delimiter = substr($0, 11); next }
      wanted = head ~ /^CREATE / || (head ~ /^\/\*![0-9]+ CREATE/ && \
        head !~ /^\/\*!50001 CREATE (TABLE|VIEW) /)
      statement = object = ""
      told = !wanted
    }
    {
      if (wanted) {
        statement = statement $0 "\n"
        if (parse()) wanted = 0
      }
      if (!told && object !~ /^(table|sequence):/ && mentions($0)) mentioned = told = 1
      fresh = !(wanted && open) && length($0) >= length(delimiter) && \
        substr($0, length($0) - length(delimiter) + 1) == delimiter
      if (fresh && mentioned && object != "") print "mentions " object
      if (fresh) mentioned = 0
    }
    END {
      printf "bytes %.0f\n", bytes
      if (!complete) print "defect it has no completion line: it is truncated"
      else if (after) print "defect there is text after its completion line"
    }'
}
