-- read_fast: a peek at a free entry of the incarnation that the client knows,
-- or at none, which makes one.
--
-- input:   KEYS 1 the entry, 2 the incarnation of its slot
--          ARGV 1 token, 2 the incarnation as an answer has shown it, 3 an
--               entry that was saved before this (msec) is saved again, 4 own:
--               1 if the upstream owns versions, 5 ttl of the entry (msec)
-- output:  the token, "=", "0 0" and the entry as it is now; or the token and
--               "!", if read has to decide

local call, sub = redis.call, string.sub
local found = call('MGET', KEYS[1], KEYS[2])
local value = found[1]

if found[2] ~= ARGV[2] then
    return ARGV[1] .. '!'
end

if value and sub(value, -16) == sub(ARGV[2], 18, 33) then
    local saved = string.match(value, '^0%d+ %- %d+ (%d+) ')

    if saved and tonumber(saved) > tonumber(ARGV[3]) then
        return ARGV[1] .. '= 0 0 ' .. value
    end

elseif not value and ARGV[4] == '0' then
    local clock = call('TIME')
    local usec = clock[1] .. sub('00000' .. clock[2], -6)
    local now = sub(usec, 1, -4)

    value = '00000000010 - ' .. now .. ' ' .. now .. ' 0 - 0 ' .. now
            .. ' - - ' .. usec .. ' - - ' .. sub(ARGV[2], 18, 33)

    call('SET', KEYS[1], value, 'PX', ARGV[5])

    return ARGV[1] .. '= 0 0 ' .. value
end

return ARGV[1] .. '!'
