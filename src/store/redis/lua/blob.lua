-- claim, put, get, remove and list blobs: bytes under an id until a time.
--
-- input:   KEYS 3 prefix of the blobs of this partition
--          ARGV 6 verb, 7 kind, a letter;
--          claim, put: 8 id, 9 from, 10 token ("-": none), 11 lease (msec),
--               12 ttl (msec), 13 head, 14 body, 15 number of indexes, then
--               pairs of the max of an index ("0": no bound) and its name
--          get: 8 id
--          remove: 8 id, 9 from
--          list: 8 index, 9 before: a number ("0": from the newest), 10 max
-- output:  ... done, number, evicted, number of blobs that follow; for each of
--          them: number, token, lease, ttl, size of its body, then the lengths
--          of id, head and body; then a space, and these strings of all
--
-- A blob is a hash: h head, v body, t token, l end of the lease (msec), n
-- number, and x1, x2, ..., the indexes it is in.  An index is a sorted set of
-- ids by number; it may have ids of blobs that have expired.

local verb, prefix = ARGV[6], KEYS[3] .. ':' .. ARGV[7] .. ':'
local id, from, token = ARGV[8], ARGV[9], ARGV[10]

local function key_of(name)
    return prefix .. 'i:' .. name
end

local function index_of(name)
    return prefix .. 'x:' .. name
end

local done, number, evicted, blobs, words, strings = 0, '0', 0, 0, '', ''

local function show(name, with_body)
    local blob = key_of(name)
    local f = call('HMGET', blob, 'h', 't', 'l', 'n')

    if not f[4] then
        return false
    end

    local body = with_body and call('HGET', blob, 'v') or ''

    blobs = blobs + 1
    words = words .. ' ' .. f[4] .. ' ' .. f[2] .. ' '
            .. text(max(f[3] - now, 0)) .. ' ' .. max(call('PTTL', blob), 0)
            .. ' ' .. call('HSTRLEN', blob, 'v') .. ' ' .. #name .. ' '
            .. #f[1] .. ' ' .. #body
    strings = strings .. name .. f[1] .. body

    return true
end

-- 1 if it was there

local function drop(name)
    local blob = key_of(name)

    for _, index in ipairs(call('HMGET', blob, 'x1', 'x2', 'x3')) do
        if index then
            call('ZREM', index_of(index), name)
        end
    end

    return call('DEL', blob)
end

-- an index lasts as long as the blobs in it

local function keep(index)
    call('PEXPIRE', index, text(max(call('PTTL', index),
                                    tonumber(ARGV[12]))))
end

-- a number that is higher than all others of the indexes

local function link()
    local n = tonumber(usec())

    for i = 1, ARGV[15] do
        local top = call('ZREVRANGE', index_of(ARGV[15 + 2 * i]), 0, 0,
                         'WITHSCORES')[2]
        n = max(n, tonumber(top or 0) + 1)
    end

    number = text(n)

    for i = 1, ARGV[15] do
        local limit = tonumber(ARGV[14 + 2 * i])
        local index = index_of(ARGV[15 + 2 * i])

        call('ZADD', index, number, id)
        keep(index)

        while limit > 0 and call('ZCARD', index) > limit do
            evicted = evicted + drop(call('ZPOPMIN', index)[1])
        end

        call('HSET', key_of(id), 'x' .. i, ARGV[15 + 2 * i])
    end
end

local function put()
    local blob = key_of(id)
    local lease = tonumber(ARGV[11])

    local f = call('HMGET', blob, 'n', 'x1', 'x2', 'x3')

    number = f[1]

    if not number then
        link()
    end

    for i = 2, 4 do
        if f[i] then
            keep(index_of(f[i]))
        end
    end

    call('HSET', blob, 'h', ARGV[13], 'v', ARGV[14], 't', token,
         'l', text(lease > 0 and now + lease or 0), 'n', number)
    call('PEXPIRE', blob, ARGV[12])

    done = 1
end

if verb == 'claim' then
    local f = call('HMGET', key_of(id), 't', 'l')

    -- its own token: the answer to this call was lost

    if f[1] and (token == '-' or f[1] ~= token)
       and (from == '-' or f[1] ~= from or tonumber(f[2]) > now)
    then
        show(id, true)

    else
        put()
    end

elseif verb == 'put' then

    if from == '-' or call('HGET', key_of(id), 't') == from then
        put()
    end

elseif verb == 'get' then
    show(id, true)

elseif verb == 'remove' then

    if from == '-' or call('HGET', key_of(id), 't') == from then
        done = drop(id)
    end

else
    local index, limit = index_of(id), tonumber(ARGV[10])
    local last = from == '0' and '+inf' or '(' .. from
    local page

    repeat
        page = call('ZREVRANGEBYSCORE', index, last, '-inf', 'WITHSCORES',
                    'LIMIT', 0, limit)

        for i = 1, #page, 2 do
            last = '(' .. page[i + 1]

            if blobs < limit and not show(page[i], false) then
                call('ZREM', index, page[i])
            end
        end
    until blobs == limit or #page < 2 * limit
end

return head .. ' ' .. done .. ' ' .. number .. ' ' .. evicted .. ' ' .. blobs
       .. words .. ' ' .. strings
