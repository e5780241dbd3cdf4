-- The counters of a fleet, for the dashboard.
--
-- input:   KEYS 1 PREFIX{stats}; recent, find: the audit stream
--          ARGV 6 verb
--               add: 7 the route: server, location, entity, with tabs in
--                   between, 8 policy, 9 sender, 10 the number of its call,
--                   11 number of pairs of a counter's number and its count,
--                   then these, then pairs of a field and its number of
--                   clashes
--               often: 7 the resource that had a conflict
--               lock, unlock: 7 the resource, 8 idle (msec), 9 acquired
--                   (usec), 10 user, 11 client
--               read: 7 what: state, minutes (with all that is not a bin),
--                   hours or days
--               recent: 7 number of lines
--               find: 7 conflict_id, which begins with the time, in seconds
-- output:  ... read: lines of words with tabs in between; recent, find: the
--          lines of the log
--
-- Counts are in hashes by minute, hour and day, which expire; a field is the
-- number of a route and that of a counter.  No text has control characters.

local verb, what = ARGV[6], ARGV[7]

local MINUTE, HOUR, DAY = 60000, 3600000, 86400000
local ROUTES, FIELDS, RESOURCES, LOCKS = 1000, 64, 1000, 1000

-- how far from the time in its conflict_id a line may be in the stream, and
-- how many lines are searched
local BEFORE, AFTER, SEARCHED = 60000, 300000, 5000

local bins = {
    { key .. ':m:', MINUTE, 60 },
    { key .. ':h:', HOUR, 48 },
    { key .. ':d:', DAY, 90 },
}

local function done(answer)
    return head .. ' ' .. answer
end

local function route()
    local routes, name = key .. ':routes', what
    local value = call('HGET', routes, name)

    if not value and call('HLEN', routes) >= ROUTES then
        name = '\t\t(others)'
        value = call('HGET', routes, name)
    end

    local n, at, policy = string.match(value or '', '^(%d+) (%d+) (.*)$')

    if policy ~= ARGV[8] then
        n = n or call('HLEN', routes)
        call('HSET', routes, name, n .. ' ' .. (at or text(now)) .. ' '
                                   .. ARGV[8])
    end

    call('PEXPIRE', routes, 400 * DAY)

    return n
end

-- adds the pairs to a bin and extends its life

local function add(name, n, life)
    for i = 12, 10 + 2 * ARGV[11], 2 do
        call('HINCRBY', name, n .. ':' .. ARGV[i], ARGV[i + 1])
    end

    call('PEXPIRE', name, text(life))
end

if verb == 'add' then

    -- a call is sent again until it is answered, and only then the next one

    local seen = key .. ':seen:' .. ARGV[9]

    if tonumber(ARGV[10]) <= tonumber(call('GET', seen) or 0) then
        return done('0')
    end

    call('SET', seen, ARGV[10], 'PX', 7 * DAY)

    local n = route()

    for _, bin in ipairs(bins) do
        add(bin[1] .. floor(now / bin[2]), n, bin[2] * (bin[3] + 2))
    end

    add(key .. ':total', n, 400 * DAY)

    local clashes = key .. ':f:' .. n

    for i = 12 + 2 * ARGV[11], #ARGV, 2 do
        call('ZINCRBY', clashes, ARGV[i + 1], ARGV[i])
        call('PEXPIRE', clashes, 90 * DAY)
    end

    if call('ZCARD', clashes) > FIELDS then
        call('ZREMRANGEBYRANK', clashes, 0, FIELDS / 4)
    end

    return done('1')
end

if verb == 'often' then
    local top = key .. ':top:' .. floor(now / DAY)

    call('ZINCRBY', top, 1, what)
    call('PEXPIRE', top, 2 * DAY)

    if call('ZCARD', top) > RESOURCES then
        call('ZREMRANGEBYRANK', top, 0, RESOURCES / 2)
    end

    return done('1')
end

-- locks: one that a write has renewed may last longer than listed here

local locks = key .. ':locks'

local function held()
    local all, list = call('HGETALL', locks), {}

    for i = 1, #all, 2 do

        if tonumber(string.match(all[i + 1], '^%d+')) > now then
            list[#list + 1] = { all[i], all[i + 1] }

        else
            call('HDEL', locks, all[i])
        end
    end

    return list
end

if verb == 'lock' then

    if call('HLEN', locks) < LOCKS or #held() < LOCKS then
        call('HSET', locks, what, text(now + ARGV[8]) .. '\t' .. ARGV[9]
                                  .. '\t' .. ARGV[10] .. '\t' .. ARGV[11])
        call('PEXPIRE', locks, 2 * DAY)
    end

    return done('1')
end

if verb == 'unlock' then
    call('HDEL', locks, what)
    return done('1')
end

local lines = {}

if verb == 'recent' then

    for _, entry in ipairs(call('XREVRANGE', key, '+', '-', 'COUNT', what)) do
        lines[#lines + 1] = entry[2][2]
    end

    return done(table.concat(lines, '\n'))
end

if verb == 'find' then
    local at = tonumber(string.sub(what, 1, 8), 16) * 1000
    local found = call('XREVRANGE', key, text(at + AFTER),
                       text(max(at - BEFORE, 0)), 'COUNT', SEARCHED)

    for _, entry in ipairs(found) do

        if string.find(entry[2][2], what, 1, true) then
            lines[#lines + 1] = entry[2][2]
        end
    end

    return done(table.concat(lines, '\n'))
end

local function line(...)
    lines[#lines + 1] = table.concat({ ... }, '\t')
end

local function read(kind, number, name)
    local flat = call('HGETALL', name)

    if #flat > 0 then
        line('b', kind, number, table.concat(flat, ' '))
    end
end

if what == 'minutes' or what == 'state' then
    local info = call('INFO', 'stats') .. call('INFO', 'memory')

    line('i', text(now), call('DBSIZE'),
         string.match(info, 'used_memory:(%d+)') or '0',
         string.match(info, 'evicted_keys:(%d+)') or '0',
         string.match(info, 'maxmemory:(%d+)') or '0',
         text(max(closed - now, 0)))
    line('n', #held())
end

for i, kind in ipairs({ 'minutes', 'hours', 'days' }) do

    if what == kind then
        local last = floor(now / bins[i][2])

        for number = last - bins[i][3] + 1, last do
            read(kind, number, bins[i][1] .. number)
        end
    end
end

if what == 'minutes' then
    local routes = call('HGETALL', key .. ':routes')

    for i = 1, #routes, 2 do
        local n, at, policy = string.match(routes[i + 1],
                                           '^(%d+) (%d+) (.*)$')

        line('r', n, at, policy, routes[i])

        local clashes = call('ZREVRANGE', key .. ':f:' .. n, 0, 15,
                             'WITHSCORES')

        for k = 1, #clashes, 2 do
            line('f', n, clashes[k + 1], clashes[k])
        end
    end

    read('total', 0, key .. ':total')

    for day = floor(now / DAY) - 1, floor(now / DAY) do
        local top = call('ZREVRANGE', key .. ':top:' .. day, 0, 31,
                         'WITHSCORES')

        for k = 1, #top, 2 do
            line('o', top[k + 1], top[k])
        end
    end

    for _, lock in ipairs(held()) do
        line('l', lock[1], lock[2])
    end
end

return done(table.concat(lines, '\n'))
