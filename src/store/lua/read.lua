-- peek and observe: what reads ask and tell.
--
-- input:   ARGV 6 verb, 7 own: 1 where the upstream owns versions;
--          observe: 8 fence and 9 version, as read before, then what was
--               seen: 10 version ("0": none), 11 hash of the body,
--               12 mtime (usec), 13 existence, 14 latest: by a GET of ours
-- output:  ... applied, external

local own = ARGV[7] == '1'

local e = load()
local state = state_of(e)

if ARGV[6] == 'peek' then

    if not e then
        e = new(own)

        -- what is about to be read did not change later than now
        e.m = usec

        if own or closed > now then
            set(e, QUARANTINED, math.max(closed, now))
        end

        save(e)

    elseif state == FREE then
        keep(key)
        keep(KEYS[2])
    end

    return reply(e, '0 0')
end

local version, body = ARGV[10], ARGV[11]
local mtime, existence = tonumber(ARGV[12]), tonumber(ARGV[13])
local latest = ARGV[14] == '1'

if not e or text(e.f) ~= ARGV[8] or e.v ~= ARGV[9] then
    -- something else has happened since
    return reply(e, '0 0')
end

local external = false
local changed

-- the upstream's own; a resource that is gone gets one of ours

local function take()

    if version ~= '0' then
        e.v = version
        return
    end

    -- as CONFLICT_VERSION_OPAQUE: in no range that an upstream could use

    e.f = mint(e)
    e.v = 'x' .. text(e.f)
end

local function date()

    if not mtime then

        if changed then
            changed_at(e, usec)
        end

    elseif e.dated == 0 then
        e.m, e.twice = mtime, 0

    elseif changed then
        changed_at(e, mtime)

    elseif not (second(mtime, 0) == second(e.m, 0) and mtime % 1000000 == 0)
    then
        -- see conflict_mtime_see()

        if second(mtime, 0) ~= second(e.m, 0) then
            e.twice = second(mtime, 0) < second(e.m, 0) and 1 or 0
        end

        e.m = mtime
    end

    if changed or mtime then
        e.dated = 1
    end
end

if state == FREE then

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
        e.v, e.l = text(e.f), '-'

        if own then
            take()
        end
    end

    if body ~= '-' then
        e.b = body
    end

    date()

elseif state == UNKNOWN and (latest or (e.v == '0' and e.p == '-')) then

    -- An unknown state ends.  Where the body is the one last shown under
    -- this version, the version stays; so do bases that clients hold.

    if own then
        changed = e.v ~= version
        take()

    else
        changed = e.b == '-' or e.b ~= body

        if changed then
            e.f = mint(e)
            e.v = text(e.f)
        end
    end

    date()

    if e.p ~= '-' then
        -- whether this write made the version is for the body to show
        e.l, e.p, e.certain = e.p, '-', 0
    end

    e.b, e.overlap = body, 0

else
    return reply(e, '0 0')
end

e.existence = existence
set(e, FREE, 0)
save(e)

return reply(e, external and '1 1' or '1 0')
