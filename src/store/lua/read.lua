-- peek and observe: what reads ask and tell.
--
-- input:   KEYS 3, if it is there: the history of the entry
--          ARGV 6 verb, 7 own: 1 where the upstream owns versions;
--          peek: 8 ttl of the history (msec)
--          observe: 8 fence and 9 version, as read before, then what was
--               seen: 10 version ("0": none), 11 hash of the body,
--               12 mtime (usec), 13 existence, 14 latest: by a GET of ours,
--               15 doubt: and not to be believed what is known
-- output:  ... state, present, version, fence, hash of the body, mtime,
--               twice, existence, wait (msec), clock (usec), applied,
--               external, held: the history has this version

local own = ARGV[7] == '1'

local e = load()
local state = state_of(e)

-- "mtime" and its "twice" move on; see conflict_version.h

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

    if not e then
        e = new(own)

        -- what is about to be read did not change later than now
        e.m = usec()

        if own or closed > now then
            set(e, QUARANTINED, max(closed, now))
        end

        save(e)

    elseif state == UNKNOWN and not own and e.b == '-' then

        -- nothing that a body could be held against: a new one from now on

        e.f = mint(e)
        e.v, e.l, e.p, e.overlap, e.existence = e.f, '-', '-', 0, MAY_EXIST
        move(usec())
        set(e, FREE, 0)
        save(e)

    elseif state == FREE and now - e.u > ttl / 4 then
        -- what is read is kept
        set(e, FREE, 0)
        save(e)
    end

    local held = 0

    if KEYS[3] then
        held = not outdated(KEYS[3]) and call('HEXISTS', KEYS[3], e.v) or 0

        if held == 1 and call('PTTL', KEYS[3]) < ARGV[8] * 3 / 4 then
            -- what is read is kept
            call('PEXPIRE', KEYS[3], ARGV[8])
        end
    end

    return reply(state_of(e), e, ends(e), '0 0 ' .. held)
end

local version, body = ARGV[10], ARGV[11]
local existence = tonumber(ARGV[13])

if not e or e.f ~= ARGV[8] or e.v ~= ARGV[9] then
    -- something else has happened since
    return reply(state, e, ends(e), '0 0 0')
end

local external, changed = false, false

-- the upstream's own; a resource that is gone gets one of ours, which is in
-- no range that an upstream could use, as CONFLICT_VERSION_OPAQUE

local function take()

    if version ~= '0' then
        e.v = version

    else
        e.f = mint(e)
        e.v = 'x' .. e.f
    end
end

local function date()
    local mtime, noted = tonumber(ARGV[12]), tonumber(e.m)

    if not mtime then

        if changed then
            move(usec())
        end

    elseif e.dated == 0 or not noted then
        e.m, e.twice = ARGV[12], 0

    elseif changed then
        move(mtime)

    elseif second(mtime) ~= second(noted) then
        e.m, e.twice = ARGV[12], second(mtime) < second(noted) and 1 or 0

    elseif mtime % 1000000 ~= 0 then
        -- a date's whole second says less than what was noted
        e.m = ARGV[12]
    end

    if changed or mtime then
        e.dated = 1
    end
end

if state == FREE and not (ARGV[14] == '1' and ARGV[15] == '1') then

    -- a read that fell between two writes, or beside none

    if not own then
        external = e.existence ~= MAY_EXIST and e.existence ~= existence

    elseif version ~= '0' then
        external = e.v ~= version

    else
        external = e.existence == EXISTS
    end

    changed = external

    if external then
        e.f = mint(e)
        e.v, e.l = e.f, '-'

        if own then
            take()
        end
    end

    if body ~= '-' then
        e.b = body
    end

    date()

elseif state == FREE
       or state == UNKNOWN and (ARGV[14] == '1' or existence == EXISTS)
then

    -- An unknown state ends.  Where the body is the one last shown under
    -- this version, the version stays; so do bases that clients hold.

    -- what was known of it and is not so any more

    local other = e.existence ~= MAY_EXIST and e.existence ~= existence

    if own then
        changed = e.v ~= version
        other = other or changed and e.v ~= '0'
        take()

    else
        changed = e.b == '-' or e.b ~= body
        other = other or changed and e.b ~= '-'

        if changed then
            e.f = mint(e)
            e.v = e.f
        end
    end

    date()

    if e.p ~= '-' then
        -- whether this write has changed it is for the body to show
        e.l, e.p, e.certain = other and e.p or '-', '-', 0
    end

    e.b, e.overlap = body, 0

else
    return reply(state, e, ends(e), '0 0 0')
end

e.existence = existence
set(e, FREE, 0)
save(e)

return reply(FREE, e, nil, external and '1 1 0' or '1 0 0')
