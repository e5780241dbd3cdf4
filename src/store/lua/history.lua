-- keep and recall: bodies that clients were shown, by version.
--
-- input:   KEYS 3 the history of the entry
--          ARGV 6 verb;
--          keep: 7 version, 8 fingerprint of its write, 9 certain: that was
--               seen to pass, 10 fence where a read has shown it, then kept
--               only if nothing has begun since ("-": by a write), 11 how
--               many bodies, 12 their bytes together, 13 ttl (msec), 14 body
--          recall: 7 version, 8 fingerprint
-- output:  ... keep: nothing more
--          recall: held, repeat, certain, length of the body held, length of
--               what the write has made, then both
--
-- A hash: a field for each version, and "order", which lists them oldest
-- first: version,fingerprint,certain,length and a space.

local history, version, fingerprint = KEYS[3], ARGV[7], ARGV[8]

local rows, bytes, at = {}, 0, nil

for v, f, c, n in string.gmatch(call('HGET', history, 'order') or '',
                                '(%S-),(%S-),(%d),(%d+) ')
do
    rows[#rows + 1] = { v = v, f = f, c = c, n = tonumber(n) }
    bytes = bytes + n

    if v == version then
        at = rows[#rows]
    end
end

if ARGV[6] == 'recall' then

    local body = at and call('HGET', history, version)
    local made, certain

    for _, row in ipairs(rows) do
        if fingerprint ~= '-' and row.f == fingerprint then
            made, certain = call('HGET', history, row.v), row.c
        end
    end

    return token .. ' ' .. born .. (body and ' 1' or ' 0')
           .. (made and ' 1 ' or ' 0 ') .. (certain or '0') .. ' '
           .. #(body or '') .. ' ' .. #(made or '') .. ' ' .. (body or '')
           .. (made or '')
end

if ARGV[10] ~= '-' then
    local e = load()

    if not e or state_of(e) ~= FREE or e.v ~= version or e.f ~= ARGV[10] then
        return token .. ' ' .. born
    end
end

local gone = {}

if at then

    -- the first body of a version stays

    if fingerprint ~= '-' then
        at.f, at.c = fingerprint, ARGV[9]
    end

else
    rows[#rows + 1] = { v = version, f = fingerprint, c = ARGV[9],
                        n = #ARGV[14] }
    bytes = bytes + #ARGV[14]

    while #rows > 1
          and (#rows > tonumber(ARGV[11]) or bytes > tonumber(ARGV[12]))
    do
        local row = table.remove(rows, 1)
        gone[#gone + 1], bytes = row.v, bytes - row.n
    end
end

local order = ''

for _, row in ipairs(rows) do
    order = order .. row.v .. ',' .. row.f .. ',' .. row.c .. ',' .. row.n
            .. ' '
end

if at then
    call('HSET', history, 'order', order)

else
    call('HSET', history, 'order', order, version, ARGV[14])
end

for _, v in ipairs(gone) do
    call('HDEL', history, v)
end

call('PEXPIRE', history, ARGV[13])

return token .. ' ' .. born
