# From lines `KEY PEER name=figure …` to the page's tables: the median, the least and the most of each figure.
{ for (i = 3; i <= NF; i++) { split($i, word, "="); k = $1 " " $2 " " word[1]; v[k, ++n[k]] = word[2] + 0 } }
function sorted(k,   i, j, t) {
  for (i = 2; i <= n[k]; i++) for (j = i; j > 1 && v[k, j - 1] > v[k, j]; j--) { t = v[k, j]; v[k, j] = v[k, j - 1]; v[k, j - 1] = t }
}
function median(k) { if (!n[k]) return "-"; sorted(k); return n[k] % 2 ? v[k, (n[k] + 1) / 2] : (v[k, n[k] / 2] + v[k, n[k] / 2 + 1]) / 2 }
function cell(k, form) {
  if (!n[k]) return "-"
  median(k)
  return n[k] == 1 ? sprintf(form, v[k, 1]) : sprintf(form " (" form " to " form ")", median(k), v[k, 1], v[k, n[k]])
}
function row(what, key, name, form,   line, i) {
  line = "| " what " |"
  for (i = 1; i <= count; i++) line = line " " cell(key " " peer[i] " " name, form) " |"
  print line
}
function times(key, name, a, b,   x, y) { x = median(key " " a " " name); y = median(key " " b " " name); return (x == "-" || !(y > 0)) ? "-" : x / y }
function added(key, name, a,   x, y) { x = median(key " " a " " name); y = median(key " direct " name); return (x == "-" || y == "-") ? "-" : x - y }
function put(value, form) { return value == "-" ? "-" : sprintf(form, value) }
# reach WHAT VALUE OF-THE-LINK FORM most|least BOUND
function reach(what, value, link, form, sense, bound, met) {
  met = value == "-" ? "not measured" : (sense == "most" ? value <= bound : value >= bound) ? "yes" : "**no**"
  printf "| %s | %s | %s | %s | %s |\n", what, put(value, form), put(link, form), (sense == "most" ? "≤ " : "≥ ") bound, met
}
END {
  count = split(peers, peer, " ")
  print "\n| what | ours | through the link | reach | met |\n| --- | --- | --- | --- | --- |"
  for (p = 1; p <= 2; p++) {
    h = "h" p
    reach("1 KB, 16 connections, " h ": times mitmdump", times(h, "rate", "ours", "mitmdump"), times(h, "rate", "link", "mitmdump"), "%.1f", "least", 30)
    reach("1 KB, 16 connections, " h ": times nginx", times(h, "rate", "ours", "nginx"), times(h, "rate", "link", "nginx"), "%.2f", "least", 0.8)
    reach("CPU-s per 1,000 requests, " h, median(h " ours cpu"), median(h " link cpu"), "%.3f", "most", 0.1)
  }
  reach("added median latency, 1 KB, 100/s, ms", added("open1", "p50", "ours"), added("open1", "p50", "link"), "%.3f", "most", 0.3)
  reach("added median latency, 85 KB, 100/s, ms", added("open85", "p50", "ours"), added("open85", "p50", "link"), "%.3f", "most", 0.8)
  reach("new connection, median, ms", median("fresh ours p50"), median("fresh link p50"), "%.2f", "most", 3)
  reach("CPU-s per 1,000 new connections", median("fresh ours cpu"), median("fresh link cpu"), "%.3f", "most", 0.5)
  reach("256 MiB: times nginx", times("body", "rate", "ours", "nginx"), times("body", "rate", "link", "nginx"), "%.2f", "least", 0.9)
  reach("256 MiB: memory grown, MiB", median("body ours grown"), median("body link grown"), "%.1f", "most", 4)
  reach("first event later by, ms", added("events", "first", "ours"), added("events", "first", "link"), "%.3f", "most", 2)
  reach("each event later by, ms", added("events", "p50", "ours"), added("events", "p50", "link"), "%.3f", "most", 0.3)
  reach("daemon, idle, one session, MB resident (" own " MB its own, the rest the program's file)", idle + 0, "-", "%.1f", "most", 15)
  reach("kB per connection", median("hold ours each"), median("hold link each"), "%.1f", "most", 60)
  reach("connections held", median("hold ours held"), "-", "%d", "least", 5000)
  line = "\n| what |"; rule = "| --- |"
  for (i = 1; i <= count; i++) { line = line " " peer[i] " |"; rule = rule " --- |" }
  print line "\n" rule
  for (p = 1; p <= 2; p++) {
    row("requests/s, h" p, "h" p, "rate", "%d")
    row("median, ms, h" p, "h" p, "p50", "%.2f")
    row("99th of a hundred, ms, h" p, "h" p, "p99", "%.2f")
    row("CPU-s per 1,000, h" p, "h" p, "cpu", "%.3f")
  }
  row("1 KB at 100/s, median, ms", "open1", "p50", "%.3f")
  row("1 KB at 100/s, 99th, ms", "open1", "p99", "%.2f")
  row("85 KB at 100/s, median, ms", "open85", "p50", "%.3f")
  row("85 KB at 100/s, 99th, ms", "open85", "p99", "%.2f")
  row("new connection, median, ms", "fresh", "p50", "%.2f")
  row("new connection, CPU-s per 1,000", "fresh", "cpu", "%.2f")
  row("256 MiB, MiB/s", "body", "rate", "%d")
  row("256 MiB, CPU-s", "body", "cpu", "%.2f")
  row("256 MiB, memory grown, MiB", "body", "grown", "%.1f")
  row("first event, ms", "events", "first", "%.2f")
  row("each event, median, ms", "events", "p50", "%.3f")
  row("connections held", "hold", "held", "%d")
  row("kB per connection", "hold", "each", "%.1f")
}
