-- The head of every script: an entry, its clock and its incarnation.
--
-- input:   KEYS 1 the entry, 2 the incarnation of its slot
--          ARGV 1 token of the operation, 2 run: what tells one life of the
--               server from another, 3 trust: 1 where a new run is no new
--               incarnation, 4 hold, 5 ttl (msec)
-- output:  one string of words, the first the token; what follows it is
--          said by each script
--
-- An entry is a hash: v version, f fence (the highest handed out), m mtime
-- (usec), u until (msec), q quarantine (msec), l fingerprint of the last
-- write, p of the one in flight, b hash of the body shown, w token of the
-- lease, z of the last settle, i incarnation, a nine digits: state,
-- existence, twice, dated, known, overlap, certain, then verdict and header
-- of the begin.  "-" is none.
--
-- All is read and checked before the first write: nothing is rolled back.

local FREE, LEASED, QUARANTINED, UNKNOWN = 0, 1, 2, 3
local MAY_EXIST, EXISTS, DELETED = 0, 1, 2
local LIMIT = 2 ^ 53

local key, token = KEYS[1], ARGV[1]
local hold, ttl = tonumber(ARGV[4]), tonumber(ARGV[5])

local clock = redis.call('TIME')
local usec = clock[1] * 1000000 + clock[2]
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- versions and fingerprints are strings: they may take 64 bits

local function text(n)
    return n and string.format('%.0f', n) or '-'
end

local function minted(version)
    local n = tonumber(version)
    return n and n < LIMIT and n or nil
end

-- a server that was restarted, flushed or replaced may have forgotten what
-- was in flight: all of that has landed once "hold" is over

local life = redis.call('HMGET', KEYS[2], 'run', 'id', 'since')
local born = 0

if life[1] ~= ARGV[2] then

    if not (life[2] and ARGV[3] == '1') then
        life[2], life[3], born = token, text(now), 1
    end

    redis.call('HSET', KEYS[2], 'run', ARGV[2], 'id', life[2],
               'since', life[3])
    redis.call('PEXPIRE', KEYS[2], ttl)
end

local closed = tonumber(life[3]) + hold

local function load()
    local h = redis.call('HMGET', key, 'v', 'f', 'm', 'u', 'q', 'l', 'p',
                         'b', 'w', 'z', 'i', 'a')

    if not h[1] then
        return nil
    end

    local a = {string.byte(h[12], 1, 9)}

    local e = {
        v = h[1], f = tonumber(h[2]), m = tonumber(h[3]),
        u = tonumber(h[4]), q = tonumber(h[5]), l = h[6], p = h[7],
        b = h[8], w = h[9], z = h[10], state = a[1] - 48,
        existence = a[2] - 48, twice = a[3] - 48, dated = a[4] - 48,
        known = a[5] - 48, overlap = a[6] - 48, certain = a[7] - 48,
        verdict = a[8] - 48, header = a[9] - 48
    }

    if h[11] ~= life[2] then

        -- of another incarnation: only a GET can tell, and not too early

        if e.state == LEASED then
            e.u = e.u + e.q
        end

        e.state, e.u = QUARANTINED, math.max(e.u, closed)
        e.foreign = true
    end

    if e.state == LEASED and e.u <= now then
        -- its worker is gone or stuck: what it sent may still land
        e.state, e.u = QUARANTINED, e.u + e.q
    end

    return e
end

local function state_of(e)

    if not e then
        return closed > now and QUARANTINED or UNKNOWN
    end

    if e.state == QUARANTINED and e.u <= now then
        return UNKNOWN
    end

    return e.state
end

-- more than any before, and at least the time: no number comes back

local function mint(e)
    local n = math.max(e.f or 0, minted(e.v) or 0) + 1
    return math.max(n, now)
end

local function new(own)
    local e = {
        m = nil, u = 0, q = 0, l = '-', p = '-', b = '-', w = '-', z = '-',
        state = FREE, existence = MAY_EXIST, twice = 0, dated = 0, known = 0,
        overlap = 0, certain = 0, verdict = 0, header = 0
    }

    e.f = mint(e)
    e.v = own and '0' or text(e.f)

    return e
end

local function set(e, state, till)
    e.state, e.u = state, till
end

local function keep(name)
    if redis.call('PTTL', name) < ttl / 2 then
        redis.call('PEXPIRE', name, ttl)
    end
end

local function save(e)
    redis.call('HSET', key, 'v', e.v, 'f', text(e.f), 'm', text(e.m),
               'u', text(e.u), 'q', text(e.q), 'l', e.l, 'p', e.p, 'b', e.b,
               'w', e.w, 'z', e.z, 'i', life[2],
               'a', e.state .. e.existence .. e.twice .. e.dated .. e.known
                    .. e.overlap .. e.certain .. e.verdict .. e.header)
    redis.call('PEXPIRE', key, ttl)
    keep(KEYS[2])
end

-- "mtime" and its "twice" move on; see conflict_version.h

local function second(m, twice)
    return math.floor(m / 1000000) + twice
end

local function changed_at(e, time)
    local shown = e.m and second(e.m, e.twice) or -LIMIT

    e.m = (e.m == nil or time > e.m) and time or e.m + 1
    e.twice = second(e.m, 0) <= shown and 1 or 0
end

local function reply(e, more)
    local till = e and e.u or closed

    if e and e.state == LEASED then
        till = till + e.q
    end

    return table.concat({
        token, born, state_of(e), e and 1 or 0, e and e.v or '0',
        e and text(e.f) or '0', e and e.b or '-', e and text(e.m) or '-',
        e and e.twice or 0, e and e.existence or MAY_EXIST,
        text(math.max(till - now, 0)), text(usec), more
    }, ' ')
end
