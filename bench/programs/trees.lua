-- Builds, walks and drops trees of tables with strings in them, and joins their names, as Lua programs do.
--
--     lua trees.lua ROUNDS

local rounds = tonumber(arg[1])

local function tree(depth, name)
  if depth == 0 then return { name = name, value = #name } end
  return { name = name, left = tree(depth - 1, name .. "l"), right = tree(depth - 1, name .. "r") }
end

local function leaves(node, found)
  if node.left then
    leaves(node.left, found)
    leaves(node.right, found)
  else
    found[#found + 1] = node.name
  end
  return found
end

local total, kept = 0, {}
for round = 1, rounds do
  local root = tree(11, tostring(round))
  local names = leaves(root, {})
  table.sort(names, function(a, b) return a > b end)
  total = total + #table.concat(names, ",")
  kept[round % 4] = root
end
print(total)
