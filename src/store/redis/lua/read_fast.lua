-- read_fast: a peek at a free entry of the incarnation that the client knows,
-- or at none, which makes one.
--
-- input:   KEYS 1 the entry, 2 the incarnation of its slot
--          ARGV 1 token, 2 the incarnation as an answer has shown it, 3 an
--               entry that was saved before this (msec) is saved again, 4 own:
--               1 if the upstream owns versions, 5 ttl of the entry (msec)
-- output:  the token, "=", "0 0" and the entry as it is now; or the token and
--               "!", if read has to decide

local call, sub, argv, key = redis.call, string.sub, ARGV, KEYS[1]
local token, incarnation = argv[1], argv[2]

if call('GET', KEYS[2]) ~= incarnation then
    return token .. '!'
end

local value = call('GET', key)

if value and sub(value, -16) == sub(incarnation, 18, 33) then
    local saved = string.match(value, '^0%d+ %- %d+ (%d+) ')

    if saved and tonumber(saved) > tonumber(argv[3]) then
        return token .. '= 0 0 ' .. value
    end

elseif not value and argv[4] == '0' then
    local clock = call('TIME')
    local usec = clock[1] .. sub('00000' .. clock[2], -6)
    local now = sub(usec, 1, -4)

    value = '00000000010 - ' .. now .. ' ' .. now .. ' 0 - 0 ' .. now
            .. ' - - ' .. usec .. ' - - ' .. sub(incarnation, 18, 33)

    call('SET', key, value, 'PX', argv[5])

    return token .. '= 0 0 ' .. value
end

return token .. '!'
