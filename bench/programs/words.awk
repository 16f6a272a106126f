# Splits its input into words, counts them, keeps some lines, sorts and joins the words, as awk scripts do.
#
#     gawk -f words.awk FILE

{
  parts = split($0, part, /[^A-Za-z0-9]+/)
  for (i = 1; i <= parts; i++)
    if (part[i] != "") count[part[i]]++
  kept[NR % 5000] = toupper(substr($0, 1, 40)) "-" NR
}

END {
  words = asorti(count, sorted)
  for (i = 1; i <= words; i++) joined[i % 100] = joined[i % 100] "," sorted[i] "=" count[sorted[i]]
  for (i in joined) bytes += length(joined[i])
  for (i in kept) bytes += length(kept[i])
  print words, bytes
}
