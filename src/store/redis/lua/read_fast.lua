-- The fast path of read: a peek at a free entry of the incarnation that the
-- client knows.
--
-- input:   ARGV 1 the words of read in one, 2 the incarnation as an answer has
--               shown it ("": all has to be checked), 3 an entry that was
--               saved before this (msec) is saved again
-- output:  the token, "=", "0 0" and the entry

local value = ARGV[2] ~= '' and string.sub(ARGV[1], 34, 34) == '-'
              and redis.call('GET', KEYS[1])

if value and redis.call('GET', KEYS[2]) == ARGV[2]
    and string.sub(value, -16) == string.sub(ARGV[2], 18, 33)
then
    local saved = string.match(value, '^0%d+ %- %d+ (%d+) ')

    if saved and tonumber(saved) > tonumber(ARGV[3]) then
        return string.sub(ARGV[1], 1, 16) .. '= 0 0 ' .. value
    end
end

-- the slow path

local given = ARGV
local ARGV = {}

for word in string.gmatch(given[1], '%S+') do
    ARGV[#ARGV + 1] = word
end
