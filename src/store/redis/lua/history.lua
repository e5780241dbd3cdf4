-- keep, recall and versions: bodies by version, as they were shown to clients,
-- or else as they were sent to the upstream, and how versions were made.
--
-- input:   KEYS 3 the history of the entry
--          ARGV 6 verb;
--          keep: 7 version, 8 fingerprint of its write, 9 certain: the write
--               was seen to pass, 10 shown, 11 fence of a read, found before
--               it ("-": this is a write): the body is kept only if nothing
--               has begun since; else any other body of this version is no
--               base of the view any more, 12 limit of bodies, 13 limit of
--               their bytes, 14 ttl (msec), 15 view, 16 body, 17 hash of the
--               body, even if that is not sent ("-": unknown), and if
--               present 18 the note of the version; with a 10 of "-" nothing
--               but that is kept
--          recall: 7 version, 8 fingerprint, 9 view, 10 for a link its word
--          versions: 7 version of the body wanted ("0": the list), 9 view
-- output:  ... keep: nothing more
--          recall: held (2 if the history has a later link), repeat, certain,
--               length of the body held, length of the body that the write has
--               made, then both
--          versions: held, length of the body and "0", then the body; or "0",
--               two lengths, then the versions whose bodies are held, each
--               with a space, and the notes
--
-- A hash: a field for each body, "notes", newest first, each its version, its
-- length and its text, "move": the last move of routes to the store,
-- and "order", which lists the bodies, oldest first, as
-- version,fingerprint,certain,shown,length,hash,name,views and a space.  The
-- name is the first view of a body; the views are between dots.  A body that a
-- link of a chain has made has "c" and the word of the link as its version,
-- one for each chain; it is empty if it is not known.

local history, version, fingerprint = KEYS[3], ARGV[7], ARGV[8]

local VIEWS = 16

local function field(record)
    return (record.s == '1' and '' or '-') .. record.v .. '/' .. record.name
end

local function shows(record, view)
    return string.find(record.views, '.' .. view .. '.', 1, true)
end

-- the number of a link, if it is of the same chain

local function link(v, word)
    return string.sub(v, 1, 13) == string.sub(word, 1, 13)
           and tonumber(string.sub(v, 14), 16)
end

local keep, changed = ARGV[6] == 'keep', false

if keep and ARGV[11] ~= '-' then
    local e = load()

    changed = not e or state_of(e) ~= FREE or e.v ~= version
              or e.f ~= ARGV[11]

    if not changed and ARGV[16] == '' then
        return head
    end
end

local records, bytes = {}, 0
local last_move = outdated(history)

for v, f, c, s, n, hash, name, views in string.gmatch(
    not last_move and call('HGET', history, 'order') or '',
    '(%S-),(%S-),(%d),(%d),(%d+),(%S-),(%d+),(%S*) ')
do
    records[#records + 1] = { v = v, f = f, c = c, s = s, n = tonumber(n),
                              hash = hash, name = name, views = views }
    bytes = bytes + n
end

if ARGV[6] == 'versions' then

    -- whole bodies that the view was shown, or its own write has made; a part
    -- of a document begins with a byte that no JSON begins with

    local held, body = {}, nil

    for _, record in ipairs(records) do
        if string.sub(record.v, 1, 1) ~= 'c' and record.n > 0
            and (version == '0' or version == record.v)
            and (record.s == '1' or record.c == '1')
            and ARGV[9] ~= '-' and shows(record, ARGV[9])
        then
            local text = (version ~= '0' or record.s == '0')
                         and call('HGET', history, field(record)) or '{'

            if text and string.byte(text) > 8 then
                held[#held + 1], body = record.v .. ' ', text
            end
        end
    end

    if version ~= '0' then
        return head .. (body and ' 1 ' or ' 0 ') .. #(body or '') .. ' 0 '
               .. (body or '')
    end

    local notes = not last_move and call('HGET', history, 'notes') or ''

    held = table.concat(held)

    return head .. ' 0 ' .. #held .. ' ' .. #notes .. ' ' .. held .. notes
end

if not keep then

    local body, made, certain, late
    local word = ARGV[10] or ''
    local n = tonumber(string.sub(word, 14), 16)

    for _, record in ipairs(records) do
        local before = n and link(record.v, word)
        local base = record.v == version

        if before and before >= n then
            late = true
        end

        if n and n > 1 then
            -- its base is the body that the link before it has made
            base = before and record.n > 0
        end

        if base and ARGV[9] ~= '-' and shows(record, ARGV[9]) then
            body = call('HGET', history, field(record))
        end

        if fingerprint ~= '-' and record.f == fingerprint then
            made, certain = call('HGET', history, field(record)), record.c
        end
    end

    return head
           .. (late and ' 2' or body and ' 1' or ' 0')
           .. (made and ' 1 ' or ' 0 ') .. (certain or '0') .. ' '
           .. #(body or '') .. ' ' .. #(made or '') .. ' ' .. (body or '')
           .. (made or '')
end

if ARGV[18] then

    -- one for each version, as many as bodies

    local notes = not last_move and call('HGET', history, 'notes') or ''
    local kept = { version .. ' ' .. #ARGV[18] .. ' ' .. ARGV[18] }
    local at = 1

    while #kept < tonumber(ARGV[12]) do
        local v, n, from = string.match(notes, '^(%S+) (%d+) ()', at)

        if not v then
            break
        end

        if v ~= version then
            kept[#kept + 1] = string.sub(notes, at, from + n - 1)
        end

        at = from + n
    end

    if last_move then
        call('DEL', history)
        call('HSET', history, 'move', last_move)
        last_move = false
    end

    call('HSET', history, 'notes', table.concat(kept))
    call('PEXPIRE', history, ARGV[14])

    if ARGV[10] == '-' then
        return head
    end
end

local removed = {}
local view, body = ARGV[15] == '-' and '0' or ARGV[15], ARGV[16]
local at

local function save_records()
    local order = ''

    for _, record in ipairs(records) do
        order = order .. record.v .. ',' .. record.f .. ',' .. record.c .. ','
                .. record.s .. ',' .. record.n .. ',' .. record.hash .. ','
                .. record.name .. ',' .. record.views .. ' '
    end

    if last_move then
        call('DEL', history)
        call('HSET', history, 'move', last_move)
    end

    call('HSET', history, 'order', order)

    for _, name in ipairs(removed) do
        call('HDEL', history, name)
    end
end

if changed then

    -- the body that a write has made stays, for its retries

    local lost = false

    for i = #records, 1, -1 do
        local record = records[i]

        if record.v == version and shows(record, view)
            and (ARGV[17] == '-' or record.hash ~= ARGV[17])
        then
            record.views = string.gsub(record.views, '%.' .. view .. '%.', '.')
            lost = true

            if record.views == '.' and record.f == '-' then
                removed[#removed + 1] = field(table.remove(records, i))
            end
        end
    end

    if lost then
        save_records()
    end

    return head
end

if string.sub(version, 1, 1) == 'c' then

    -- one body for each chain, that of its last link

    for i = #records, 1, -1 do
        local n = link(records[i].v, version)

        if n and n >= link(version, version) then
            return head
        end

        if n then
            local record = table.remove(records, i)
            removed[#removed + 1], bytes = field(record), bytes - record.n
        end
    end
end

-- The upstream may count from 1 again once the resource was deleted.  If this
-- write has made the version, what another write has made as this version is
-- removed; so is the view's body of a version that this one states or has made.

local made = ARGV[9] == '1' and ARGV[10] == '0' and ARGV[11] == '-'
local anew

for i = made and #records or 0, 1, -1 do
    if records[i].v == version and records[i].f ~= '-'
        and records[i].f ~= fingerprint
    then
        local record = table.remove(records, i)
        removed[#removed + 1], bytes = field(record), bytes - record.n
    end
end

for i, record in ipairs(records) do
    if record.v == version and shows(record, view) then
        if ARGV[10] == '1' then
            anew = record.s == '1' and ARGV[11] == '-'
        else
            anew = made and record.f == '-'
        end

        anew = anew and not (record.n == #body
                             and call('HGET', history, field(record)) == body)

        if anew and record.views ~= '.' .. view .. '.' then
            record.views = string.gsub(record.views, '%.' .. view .. '%.', '.')
        else
            at = i
        end

    elseif record.v == version and fingerprint ~= '-'
        and record.f == fingerprint
    then
        -- the view has lost it, and a repeated call does not restore it
        return head
    end
end

if at and fingerprint ~= '-' then
    records[at].f, records[at].c = fingerprint, ARGV[9]
end

local certain = ARGV[9]

if at and (anew or records[at].s == '0'
           and (ARGV[10] == '1' or records[at].n == 0 and #body > 0))
then
    -- a body that was shown replaces one that was not, any replaces none

    local record = table.remove(records, at)

    removed[#removed + 1], bytes, at = field(record), bytes - record.n, nil
    fingerprint, certain = record.f, record.c
end

local fresh

if not at then

    for _, record in ipairs(records) do
        if record.v == version and record.s == ARGV[10] and record.n == #body
            and call('HGET', history, field(record)) == body
        then
            at = record
        end
    end

    if at then

        -- the same body in another view; of too many the first is dropped

        if fingerprint ~= '-' then
            at.f, at.c = fingerprint, certain
        end

        at.views = at.views .. view .. '.'

        local _, n = string.gsub(at.views, '%d+', '')

        if n > VIEWS then
            at.views = string.gsub(at.views, '^%.%d+', '', 1)
        end

    else
        local name, free = view, false

        while not free do
            free = true

            for _, record in ipairs(records) do
                if record.v == version and record.name == name then
                    -- the name of another body, which it was the first view of
                    name, free = name .. '0', false
                end
            end
        end

        fresh = { v = version, f = fingerprint, c = certain, s = ARGV[10],
                  n = #body, hash = ARGV[17], name = name,
                  views = '.' .. view .. '.' }

        records[#records + 1] = fresh
        bytes = bytes + #body
    end
end

while #records > 1
      and (#records > tonumber(ARGV[12]) or bytes > tonumber(ARGV[13]))
do
    local record = table.remove(records, 1)
    removed[#removed + 1], bytes = field(record), bytes - record.n
    record.removed = true
end

save_records()

if fresh and not fresh.removed then
    call('HSET', history, field(fresh), body)
end

call('PEXPIRE', history, ARGV[14])

return head
