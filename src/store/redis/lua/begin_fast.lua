-- The fast path of begin: a write without a precondition, or based on the
-- current version, to a free entry of the incarnation that the client knows.
-- No link of a chain has made its version.
--
-- input:   KEYS 3, if present: the lock of the entry
--          ARGV 1 the words of begin in one, 2 the incarnation as an answer
--               has shown it ("": all has to be checked), 3 version that is
--               required ("": any), 4 verdict, 5 lease, 6 quarantine (msec),
--               7 fingerprint, 8 view, 9 ttl of the entry (msec), 10 user
-- output:  the token, "=", clock (sec, and usec), and the entry as it is now

local call, sub = redis.call, string.sub
local value = ARGV[2] ~= '' and sub(ARGV[1], 34, 34) == '-'
              and call('GET', KEYS[1])

if value and call('GET', KEYS[2]) == ARGV[2]
    and sub(value, -16) == sub(ARGV[2], 18, 33)
    and not (KEYS[3] and call('GET', KEYS[3]))
then
    local shows, fence, at, version, body, view = string.match(value,
          '^0([01]%d%d%d)000010 %- (%d+) %d+ 0 %- %d+ ()(%S+) (%S+) (%S+) ')
    local old = tonumber(fence)

    if shows and (ARGV[3] == '' or ARGV[3] == version)
        and (tonumber(version) or 0) <= old
    then
        local token, clock = sub(ARGV[1], 1, 16), call('TIME')
        local now = clock[1] .. sub('00000' .. clock[2], -6, -4)

        -- more than any before, and at least the time

        fence = old < tonumber(now) and now
                or string.format('%.0f', old + 1)

        local proves = body ~= '-' and view ~= '-' and view == ARGV[8]

        value = '1' .. shows .. '10' .. ARGV[4] .. (proves and '010 ' or '000 ')
                .. token .. ' ' .. fence .. ' ' .. now .. '+' .. ARGV[5] .. ' '
                .. ARGV[6] .. ' ' .. ARGV[7] .. ' ' .. fence .. ' '
                .. sub(value, at)

        call('SET', KEYS[1], value, 'PX', ARGV[9])

        return token .. '= ' .. clock[1] .. ' ' .. clock[2] .. ' ' .. value
    end
end

-- the slow path

local given = ARGV
local ARGV = {}

for word in string.gmatch(given[1], '%S+') do
    ARGV[#ARGV + 1] = word
end

ARGV[19] = given[10]
