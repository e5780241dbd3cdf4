-- settle_fast: a commit, if the entry is as begin_fast has left it.
--
-- input:   KEYS 1 the entry, 2 the incarnation of its slot
--          ARGV 1 token, 2 the incarnation as an answer has shown it, 3 the
--               entry as it was left, 4 as the commit leaves it, 5 its ttl
--               (msec)
-- output:  the token, and "=" or, if settle has to decide, "!"

local found = redis.call('MGET', KEYS[1], KEYS[2])

if found[1] == ARGV[3] and found[2] == ARGV[2]
    and string.sub(ARGV[4], -16) == string.sub(ARGV[2], 18, 33)
then
    redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])

    return ARGV[1] .. '='
end

return ARGV[1] .. '!'
