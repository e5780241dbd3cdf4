-- keep and recall: bodies by version, as clients were shown them, or else as
-- they were sent on.
--
-- input:   KEYS 3 the history of the entry
--          ARGV 6 verb;
--          keep: 7 version, 8 fingerprint of its write, 9 certain: that was
--               seen to pass, 10 shown, 11 fence where a read has shown it,
--               then kept only if nothing has begun since ("-": by a write),
--               12 how many bodies, 13 their bytes together, 14 ttl (msec),
--               15 a hash of who sees it, 16 body
--          recall: 7 version, 8 fingerprint
-- output:  ... keep: nothing more
--          recall: held, repeat, certain, who was shown the body held, its
--               length, length of what the write has made, then both
--
-- A hash: a field for each version, "-" before it where that was not shown,
-- "move": the store's last one, and "order", which lists them oldest first:
-- version,fingerprint,certain,shown,length,viewer and a space.

local history, version, fingerprint = KEYS[3], ARGV[7], ARGV[8]

local function field(row)
    return (row.s == '1' and '' or '-') .. row.v
end

local rows, bytes, at = {}, 0, nil
local last_move = outdated(history)

for v, f, c, s, n, w in string.gmatch(
    not last_move and call('HGET', history, 'order') or '',
    '(%S-),(%S-),(%d),(%d),(%d+),(%d+) ')
do
    rows[#rows + 1] = { v = v, f = f, c = c, s = s, n = tonumber(n), w = w }
    bytes = bytes + n

    if v == version then
        at = rows[#rows]
    end
end

if ARGV[6] == 'recall' then

    local body = at and call('HGET', history, field(at))
    local made, certain

    for _, row in ipairs(rows) do
        if fingerprint ~= '-' and row.f == fingerprint then
            made, certain = call('HGET', history, field(row)), row.c
        end
    end

    return token .. ' ' .. born .. (body and ' 1' or ' 0')
           .. (made and ' 1 ' or ' 0 ') .. (certain or '0') .. ' '
           .. (at and at.w or '0') .. ' ' .. #(body or '') .. ' ' .. #(made or '') .. ' ' .. (body or '')
           .. (made or '')
end

if ARGV[11] ~= '-' then
    local e = load()

    if not e or state_of(e) ~= FREE or e.v ~= version or e.f ~= ARGV[11] then
        return token .. ' ' .. born
    end
end

local gone = {}

if at and fingerprint ~= '-' then
    at.f, at.c = fingerprint, ARGV[9]
end

if not at then
    at = { v = version, f = fingerprint, c = ARGV[9], n = 0 }
    rows[#rows + 1] = at

elseif at.s == '1' or ARGV[10] == '0' then
    -- the first body of a version stays
    at.stays = true

else
    gone[1] = field(at)
end

if not at.stays then
    bytes = bytes - at.n + #ARGV[16]
    at.s, at.n = ARGV[10], #ARGV[16]
    at.w = ARGV[15] == '-' and '0' or ARGV[15]
end

while #rows > 1
      and (#rows > tonumber(ARGV[12]) or bytes > tonumber(ARGV[13]))
do
    local row = table.remove(rows, 1)
    gone[#gone + 1], bytes = field(row), bytes - row.n
    row.gone = true
end

local order = ''

for _, row in ipairs(rows) do
    order = order .. row.v .. ',' .. row.f .. ',' .. row.c .. ',' .. row.s
            .. ',' .. row.n .. ',' .. row.w .. ' '
end

if last_move then
    call('DEL', history)
    call('HSET', history, 'move', last_move)
end

call('HSET', history, 'order', order)

for _, name in ipairs(gone) do
    call('HDEL', history, name)
end

if not at.stays and not at.gone then
    call('HSET', history, field(at), ARGV[16])
end

call('PEXPIRE', history, ARGV[14])

return token .. ' ' .. born
