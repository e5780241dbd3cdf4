-- mark and versions: the entries of a list's items, and since when each has
-- been as it is.
--
-- input:   KEYS 3 and more, if present: other entries, of the same slot
--          ARGV 6 verb
-- output:  ... run, since when the incarnation lasts (msec), clock (msec), how
--               many keys were evicted so far; with "versions" two words for
--               each entry: its version, and when it was saved (msec), "new"
--               if it was made now, or "-" if it is in use or unknown

local verb = ARGV[6]

local evicted = string.match(call('INFO', 'stats'), 'evicted_keys:(%d+)') or 0
local words = { head, run, since, now, evicted }

-- When an entry was saved is a time that a worker may have computed.  This
-- server knows it as well: it gave the entry the ttl of one that is free.

local full = max(ttl, 60000)

local function saved_at(u, e)
    local left = call('PTTL', key)
    u = tonumber(u)

    if left > full or u > now then
        -- the ttl was longer then, or the clock was set back
        e = e or load()
        e.u = now
        save(e)
        return now

    elseif left < full * 3 / 4 then
        -- a list extends it, as a read does, and then waits for the next one
        call('PEXPIRE', key, full)
    end

    return max(u, now + left - full)
end

-- two words; most entries are free, so only these are read in full

local function entry()
    local e = load()
    local state = state_of(e)

    if not e and closed > now then
        -- an entry would be unknown, until a GET resolves it
        return '0', '-'
    end

    if not e then
        e = new(false)

        -- the item to be shown has not changed later than now
        e.m = usec()
        save(e)

        return e.v, 'new'
    end

    if state == FREE and e.existence < DELETED and minted(e.v) then
        return e.v, text(saved_at(e.u, e))
    end

    return '0', '-'
end

if verb == 'versions' then

    local keys = { KEYS[1], unpack(KEYS, 3) }
    local values = call('MGET', unpack(keys))

    for i = 1, #keys do
        key = keys[i]

        local value = values[i] or ''
        local u, version = string.match(value,
                             '^0[01]%d+ %- %d+ (%d+) 0 %S+ %d+ (%d+) ')

        if u and string.sub(value, -16) == id then
            u = text(saved_at(u))

        else
            version, u = entry()
        end

        words[#words + 1] = version
        words[#words + 1] = u
    end
end

return table.concat(words, ' ')
