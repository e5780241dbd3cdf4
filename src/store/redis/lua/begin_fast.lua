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

local call, sub, argv, keys = redis.call, string.sub, ARGV, KEYS
local token, incarnation, key = argv[1], argv[2], keys[1]

-- a GET for each takes less than an MGET, which makes a table

local value = call('GET', key)

if value and call('GET', keys[2]) == incarnation
    and not (keys[3] and call('GET', keys[3]))
    and sub(value, -16) == sub(incarnation, 18, 33)
then
    local shows, fence, at, version, body, view = string.match(value,
          '^0([01]%d%d%d)000010 %- (%d+) %d+ 0 %- %d+ ()(%S+) (%S+) (%S+) ')

    if shows and (argv[3] == '' or argv[3] == version)
        and (version == fence
             or (tonumber(version) or 0) <= tonumber(fence))
        and not string.find(value, token, at, true)
    then
        local clock = call('TIME')
        local now = clock[1] .. sub('00000' .. clock[2], -6, -4)

        -- More than any before, and at least the time.  They are compared as
        -- strings, since to make numbers of both takes longer.

        if #fence > #now or (#fence == #now and fence >= now) then
            fence = string.format('%.0f', fence + 1)
        else
            fence = now
        end

        local proves = body ~= '-' and view ~= '-' and view == argv[6]

        value = '1' .. shows .. '10' .. argv[4] .. (proves and '010 ' or '000 ')
                .. token .. ' ' .. fence .. ' ' .. now .. '+' .. argv[5] .. ' '
                .. fence .. ' ' .. sub(value, at)

        call('SET', key, value, 'PX', argv[7])

        return token .. '= ' .. clock[1] .. ' ' .. clock[2] .. ' ' .. value
    end
end

return token .. '!'
