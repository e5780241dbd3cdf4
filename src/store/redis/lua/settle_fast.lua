-- settle_fast: a commit, if the entry is as begin_fast has left it.
--
-- input:   KEYS 1 the entry, 2 the incarnation of its slot
--          ARGV 1 token, 2 the incarnation as an answer has shown it, 3 the
--               entry as it was left, 4 as the commit leaves it, 5 its ttl
--               (msec)
-- output:  the token, and "=" or, if settle has to decide, "!"

local call, argv = redis.call, ARGV
local key, incarnation = KEYS[1], argv[2]

if call('GET', key) == argv[3] and call('GET', KEYS[2]) == incarnation
    and string.sub(argv[4], -16) == string.sub(incarnation, 18, 33)
then
    call('SET', key, argv[4], 'PX', argv[5])

    return argv[1] .. '='
end

return argv[1] .. '!'
