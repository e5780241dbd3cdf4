-- peek and observe: the version before a read, and what the read has shown.
--
-- input:   KEYS 3, if present: the history of the entry
--          ARGV 6 verb, 7 own: 1 if the upstream owns versions;
--          peek: 8 view, 9 ttl of the history (msec)
--          observe: 8 fence and 9 version, as found before, then what the
--               response shows: 10 version ("0": none), 11 hash of the body,
--               12 its view, 13 mtime (usec), 14 existence, 15 latest: by the
--               module's own GET, 16 doubt: the store may have lost a version,
--               17 edits: 1 if the time of the edit matters; the token is that
--               of the lease, if the operation has one, which it keeps
-- output:  ... state, present, version, fence, hash of the body, its view,
--               mtime, twice, existence, wait (msec), clock (usec), applied,
--               external, held: the history has this version in this view

local own = ARGV[7] == '1'

local e = load()
local state = state_of(e)

-- advances "mtime" and its "twice"; see conflict_mtime.h

local function second(time)
    return floor(time / 1000000)
end

local function move(to)
    local from = tonumber(e.m)
    local shown = from and second(from) + e.twice or -1

    to = tonumber(to)

    if from and to <= from then
        to = from + 1
    end

    e.m, e.twice = text(to), second(to) <= shown and 1 or 0
end

if ARGV[6] == 'peek' then

    if not e and own then
        -- a read by a client does not show which version is current
        return reply(state, nil, closed, '0 0 0')
    end

    if not e then
        e = new(false)

        -- the representation to be read has not changed later than now
        e.m = usec()

        if closed > now then
            set(e, QUARANTINED, closed)
        end

        save(e)

    elseif state == UNKNOWN and not own and provable(e, ARGV[8]) == 0
    then

        -- no body of this view can prove that this version is still current

        e.f = mint(e)
        e.v, e.l, e.p, e.overlap, e.existence = e.f, '-', '-', 0, MAY_EXIST
        e.b, e.s, e.h = '-', '-', ''
        e.d = e.d ~= '' and edit_word(last_edit(e)) or ''
        move(usec())
        set(e, FREE, 0)
        save(e)

    elseif state == FREE and now - e.u > ttl / 4 then
        -- a read extends the ttl
        set(e, FREE, 0)
        save(e)
    end

    local held = 0

    if KEYS[3] then
        for v, s, views in string.gmatch(
            not outdated(KEYS[3]) and call('HGET', KEYS[3], 'order') or '',
            '(%S-),%S-,%d,(%d),%d+,%S-,%d+,(%S*) ')
        do
            if v == e.v and s == '1'
                and string.find(views, '.' .. ARGV[8] .. '.', 1, true)
            then
                held = 1
            end
        end

        if held == 1 and call('PTTL', KEYS[3]) < ARGV[9] * 3 / 4 then
            -- a read extends the ttl
            call('PEXPIRE', KEYS[3], ARGV[9])
        end
    end

    return reply(state_of(e), e, ends(e), '0 0 ' .. held)
end

local version, body, view = ARGV[10], ARGV[11], ARGV[12]
local existence = tonumber(ARGV[14])

if not e or e.f ~= ARGV[8] or e.v ~= ARGV[9] then
    -- the entry has changed since
    return reply(state, e, ends(e), '0 0 0')
end

local external, changed = false, false

-- under its own lease, which no write has disturbed

local kept = state == LEASED and e.w == token and e.overlap == 0
             and ARGV[15] == '1'

-- opaque versions have no order

local function older(a, b)
    local m, n = minted(a), minted(b)
    return m and n and m > 0 and m < n
end

-- the version of the upstream; a deleted resource gets a minted one, as
-- CONFLICT_VERSION_OPAQUE: out of the range of an upstream

local function take()

    if version ~= '0' then
        e.v = version

    else
        e.f = mint(e)
        e.v = 'x' .. e.f
    end
end

local function date()
    local mtime, noted = tonumber(ARGV[13]), tonumber(e.m)

    if not mtime then

        if changed then
            move(usec())
        end

    elseif e.dated == 0 or not noted then
        e.m, e.twice = ARGV[13], 0

    elseif changed then
        move(mtime)

    elseif second(mtime) ~= second(noted) then
        e.twice = second(mtime) <= second(noted) + e.twice and 1 or 0
        e.m = ARGV[13]

    elseif mtime % 1000000 ~= 0 then
        -- a date in whole seconds is less precise than the one noted
        e.m = ARGV[13]
    end

    if changed or mtime then
        e.dated = 1
    end
end

if state == FREE and not (ARGV[15] == '1' and ARGV[16] == '1') then

    -- a read while no write is in flight

    local other

    if not own then
        other = e.existence == EXISTS and existence == DELETED
                or e.existence == DELETED and existence == EXISTS

    elseif version ~= '0' then
        other = e.v ~= version

    else
        other = e.existence == EXISTS
    end

    if other and own and older(version, e.v) then
        -- a replica that lags behind, or an old revision
        return reply(state, e, nil, '0 0 0')
    end

    if other then

        -- only the module's own GET shows which of both is current

        external = not own or older(e.v, version)
        e.suspect = external and 0 or 1
        set(e, QUARANTINED, now)
        save(e)

        return reply(UNKNOWN, e, nil, external and '1 1 0' or '1 0 0')
    end

    if body ~= '-' and (e.b == '-' or e.s == view) then
        -- else the body of another view stays, which proves as much
        e.b, e.s = body, view
    end

    date()

    if existence == NOT_SHOWN and e.existence ~= MAY_EXIST then
        existence = e.existence
    end

elseif kept or ARGV[15] == '1' and (state == FREE or state == UNKNOWN) then

    -- This ends an unknown state.  If the body is that shown under this
    -- version in the same view, and all writes since are of that view, the
    -- version stays, and with it the bases that clients have.

    -- whether anything that was known has changed

    local other = e.existence ~= MAY_EXIST and e.existence ~= existence
                  and not (e.existence == DELETED and existence == NOT_SHOWN)

    if own then
        changed = e.v ~= version
        other = other or changed and e.v ~= '0'
        take()

    else
        local comparable = e.b ~= '-' and body ~= '-' and e.s == view

        other = other or comparable and e.b ~= body
        changed = not (comparable and e.b == body and e.proves == 1)

        if changed then
            e.f = mint(e)
            e.v = e.f
        end
    end

    local t, k = last_edit(e)
    local pending = string.find(e.d, '/', 1, true)

    date()

    if not changed then
        e.d = string.match(e.d, '^[^/]*')

    elseif e.d ~= '' or ARGV[17] == '1' then

        -- That of a write of unknown outcome, or nothing else is known.  A
        -- date that was shown, or when a change was found, is in "m".

        local dated, later = ARGV[13] ~= '-', other

        if pending then
            later = dated and tonumber(e.m) > t

        elseif dated then
            later = true
        end

        e.d = later and '' or edit_word(t, k)
    end

    if changed then
        e.h = ''
    end

    if e.p ~= '-' then
        -- the body shows whether this write has changed it
        e.l, e.p, e.certain = other and e.p or '-', '-', 0
    end

    -- a 404, before or now, may be for its caller alone

    external = e.suspect == 1 and other and e.existence ~= NOT_SHOWN
               and existence ~= NOT_SHOWN
    e.b, e.s, e.overlap = body, view, 0

else
    return reply(state, e, ends(e), '0 0 0')
end

e.existence = existence

if kept then
    -- the version may be as high as the fence
    e.f = mint(e)
    e.c, e.known, e.proves, e.suspect = e.f, 1, 1, 0

else
    set(e, FREE, 0)
end

save(e)

return reply(e.state, e, ends(e), external and '1 1 0' or '1 0 0')
