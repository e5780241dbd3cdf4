-- renew, commit, cancel and abandon: what becomes of a lease.
--
-- input:   ARGV 6 verb, 7 fence, 8 version: before, or of the commit,
--               9 until: lease or quarantine from now (msec),
--               10 quarantine (msec), 11 fingerprint, 12 existence,
--               13 mtime (usec), 14 twice, 15 view; of the commit of a link
--               also 16 its word
-- output:  ... 1 where another write was let in over this lease, as if this
--               one were over; else, and for cancel, 0

local verb = ARGV[6]
local head = token .. ' ' .. born .. ' '
local done = head .. '0'
local till = now + ARGV[9]

local e = load()

if not e then

    if verb == 'renew' then

        -- forgotten, but this write is still at the upstream

        e = new(true)
        e.v, e.f, e.p, e.w = ARGV[8], ARGV[7], ARGV[11], token
        e.overlap, e.q = 1, ARGV[10]

        set(e, LEASED, till)
        save(e)
    end

    -- no entry is an unknown one: nothing that a settle could tell

    return done
end

local said = string.match(e.z, token .. '(%d)')

if said then
    -- sent again, since the answer to the first was lost; or a renewal that
    -- comes late
    return head .. said
end

local state = state_of(e)

-- even if it ran out: nobody else was let in since

local mine = e.w == token and state ~= FREE

-- one that passed over it was meant to

local lost = not mine and tonumber(ARGV[7]) < tonumber(e.c) and '1' or '0'

-- Of the last few, since others may begin and end before one comes twice.

local function settled()
    e.z = string.sub(token .. lost .. ',' .. e.z, 1, 71)
end

-- until when those that overlapped may land

local overlapped = max(closed, now + e.q,
                       e.state == QUARANTINED and e.u or 0)

if verb == 'cancel' then

    if not mine then
        -- nothing happened, whoever has had the entry since
        return done
    end

    e.p = '-'
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

    -- what this write did, or may do, makes the state less sure

    if verb == 'renew' then
        till = till + ARGV[10]

    else
        till = verb == 'commit' and now or till
        settled()
    end

    -- whoever has the lease cannot tell which came last
    e.overlap, e.proves = 1, provable(e, ARGV[15])

    if state == QUARANTINED then
        e.u = max(e.u, till)

    elseif state ~= LEASED then
        set(e, QUARANTINED, till)
    end

elseif verb == 'renew' then

    if e.foreign then
        -- this server may have forgotten one that began after it
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
    e.h = ''

    if e.overlap == 1 then
        set(e, QUARANTINED, overlapped)

    elseif e.foreign then
        -- others that it has forgotten may still land
        set(e, QUARANTINED, max(e.u, now))

    else
        e.h = ARGV[16] or ''
        set(e, FREE, 0)
    end
end

save(e)

return head .. lost
