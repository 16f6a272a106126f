# Parses rows, groups, maps, joins and sorts them, as Ruby programs do.
#
#     ruby rows.rb FILE

require "json"

rows = JSON.parse(File.read(ARGV[0]))
groups = rows.group_by { |row| row["name"] }
lines = groups.map do |name, members|
  tags = members.flat_map { |row| row["tags"] }.uniq.sort.join(",")
  format("%-24s %4d %10.2f %s", name.upcase, members.size, members.sum { |row| row["at"]["y"] }, tags)
end
puts lines.sort.map { |line| line.split.reverse.join(" ") }.sum(&:size)
