-- renew, commit, cancel and abandon: renewal and end of a lease.
--
-- input:   ARGV 6 verb, 7 fence, 8 version: before, or of the commit,
--               9 until: lease or quarantine from now (msec),
--               10 quarantine (msec), 11 fingerprint, 12 existence,
--               13 mtime (usec), 14 twice, 15 view; for the commit of a link
--               also 16 its word
-- output:  ... 1 if the lease was lost: another write has begun as if this one
--               were over; else, and for cancel, 0

local FETCH = 5        -- conflict_verdict_e

local verb = ARGV[6]
local done = head .. ' 0'
local till = now + ARGV[9]

local e = load()

if not e then

    if verb == 'renew' then

        -- the entry was lost, but this write is still at the upstream

        e = new(true)
        e.v, e.f, e.p, e.w = ARGV[8], ARGV[7], ARGV[11], token
        e.overlap, e.q = 1, ARGV[10]

        set(e, LEASED, till)
        save(e)
    end

    -- without an entry the state is unknown, and a settle does not change it

    return done
end

local answer = string.match(e.z, token .. '(%d)')

if answer then
    -- sent again, as the first answer was lost; or a renewal that is late
    return head .. ' ' .. answer
end

local state = state_of(e)

-- even if it has expired: no other write has acquired it

local mine = e.w == token and state ~= FREE

-- writes that began over this lease on purpose do not count

local lost = not mine and tonumber(ARGV[7]) < tonumber(e.c) and '1' or '0'

-- of the last few, since others may begin and end before a retry arrives

local function settled()
    e.z = string.sub(token .. lost .. ',' .. e.z, 1, 71)
end

-- until when overlapping writes may land

local overlapped = max(closed, now + e.q,
                       e.state == QUARANTINED and e.u or 0)

if verb == 'cancel' then

    if not mine then
        -- nothing was written; a begin that arrives later gets no lease
        settled()
        save(e)

        return done
    end

    if e.verdict ~= FETCH then
        -- else they are of a write before the lookup that had this lease
        e.p, e.d = '-', string.match(e.d, '^[^/]*')
    end

    settled()

    if e.overlap == 1 then
        set(e, QUARANTINED, overlapped)

    elseif e.foreign then
        set(e, QUARANTINED, max(e.u, now))

    elseif e.known == 1 then
        set(e, FREE, 0)

    else
        set(e, QUARANTINED, now)
    end

elseif not mine then

    -- the effect of this write, sure or possible, makes the state less sure

    if verb == 'renew' then
        till = till + ARGV[10]

    else
        till = verb == 'commit' and now or till
        settled()
    end

    -- the holder of the lease cannot know which write came last
    e.overlap, e.proves = 1, provable(e, ARGV[15])

    if state == QUARANTINED then
        e.u = max(e.u, till)

    elseif state ~= LEASED then
        set(e, QUARANTINED, till)
    end

elseif verb == 'renew' then

    if e.foreign then
        -- this server may have lost a write that began later
        e.overlap = 1
    end

    set(e, LEASED, till)

elseif verb == 'abandon' then

    if e.overlap == 1 or e.foreign then
        till = max(till, overlapped)
    end

    settled()
    set(e, QUARANTINED, till)

else -- commit

    e.v, e.existence = ARGV[8], ARGV[12]
    settled()
    e.l, e.certain, e.p, e.b, e.s, e.suspect = e.p, 1, '-', '-', '-', 0
    e.m, e.twice, e.dated = ARGV[13], ARGV[14], 1
    e.h, e.d = '', string.match(e.d, '/(.*)') or ''

    if e.overlap == 1 then
        set(e, QUARANTINED, overlapped)

    elseif e.foreign then
        -- writes that this server has lost may still land
        set(e, QUARANTINED, max(e.u, now))

    else
        e.h = ARGV[16] or ''
        set(e, FREE, 0)
    end
end

save(e)

return head .. ' ' .. lost
