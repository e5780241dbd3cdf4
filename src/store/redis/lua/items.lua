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

local function saved_at(e)
    local left = call('PTTL', key)
    local at = max(e.u, now + left - full)

    if left > full or e.u > now then
        -- the ttl was longer then, or the clock was set back
        e.u = now
        save(e)
        return now

    elseif left < full * 3 / 4 then
        -- a list extends it, as a read does, and then waits for the next one
        call('PEXPIRE', key, full)
    end

    return at
end

for i = 1, verb == 'versions' and #KEYS or 0 do

    if i ~= 2 then
        key = KEYS[i]

        local e = load()
        local state, saved = state_of(e), '-'

        if not e then
            e = new(false)

            -- the item to be shown has not changed later than now
            e.m = usec()

            if closed > now then
                set(e, QUARANTINED, closed)

            else
                saved = 'new'
            end

            save(e)

        elseif state == FREE and e.existence ~= DELETED and minted(e.v)
               and minted(e.v) > 0
        then
            saved = text(saved_at(e))
        end

        words[#words + 1] = minted(e.v) and e.v or '0'
        words[#words + 1] = saved
    end
end

return table.concat(words, ' ')
