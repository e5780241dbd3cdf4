-- begin_fast: begin for a write without a precondition, or based on the current
-- version, to a free entry of the incarnation that the client knows, unless a
-- link of a chain has made its version.
--
-- input:   KEYS 1 the entry, 2 the incarnation of its slot, 3, if present: the
--               lock of the entry
--          ARGV 1 token, 2 the incarnation as an answer has shown it, 3 version
--               that is required ("": any), 4 verdict, 5 lease, quarantine
--               (msec) and fingerprint, 6 view, 7 ttl of the entry (msec)
-- output:  the token, "=", clock (sec, and usec), and the entry as it is now;
--               or the token and "!", if begin has to decide

local call, sub = redis.call, string.sub
local token, incarnation = ARGV[1], ARGV[2]
local found = call('MGET', unpack(KEYS))
local value = found[1]

if value and found[2] == incarnation and not found[3]
    and sub(value, -16) == sub(incarnation, 18, 33)
then
    local shows, fence, at, version, body, view = string.match(value,
          '^0([01]%d%d%d)000010 %- (%d+) %d+ 0 %- %d+ ()(%S+) (%S+) (%S+) ')
    local old = tonumber(fence)

    if shows and (ARGV[3] == '' or ARGV[3] == version)
        and (tonumber(version) or 0) <= old
        and not string.find(value, token, at, true)
    then
        local clock = call('TIME')
        local now = clock[1] .. sub('00000' .. clock[2], -6, -4)

        -- more than any before, and at least the time

        fence = old < tonumber(now) and now
                or string.format('%d', old + 1)

        local proves = body ~= '-' and view ~= '-' and view == ARGV[6]

        value = '1' .. shows .. '10' .. ARGV[4] .. (proves and '010 ' or '000 ')
                .. token .. ' ' .. fence .. ' ' .. now .. '+' .. ARGV[5] .. ' '
                .. fence .. ' ' .. sub(value, at)

        call('SET', KEYS[1], value, 'PX', ARGV[7])

        return token .. '= ' .. clock[1] .. ' ' .. clock[2] .. ' ' .. value
    end
end

return token .. '!'
