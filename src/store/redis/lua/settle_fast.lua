-- The fast path of settle: a commit, if the entry is as the fast path of begin
-- has left it.
--
-- input:   ARGV 1 the words of settle in one, 2 the incarnation as an answer
--               has shown it ("": all has to be checked), 3 the entry as it
--               was left, 4 as the commit leaves it, 5 its ttl (msec)
-- output:  as of settle

if ARGV[2] ~= '' and string.sub(ARGV[1], 34, 34) == '-'
    and redis.call('GET', KEYS[1]) == ARGV[3]
    and redis.call('GET', KEYS[2]) == ARGV[2]
    and string.sub(ARGV[4], -16) == string.sub(ARGV[2], 18, 33)
then
    redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])

    return string.sub(ARGV[1], 1, 16) .. ' 0 0'
end

-- the slow path

local given = ARGV
local ARGV = {}

for word in string.gmatch(given[1], '%S+') do
    ARGV[#ARGV + 1] = word
end
