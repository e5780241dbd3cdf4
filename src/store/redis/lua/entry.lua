-- The head of every script: an entry, its clock and its incarnation.
--
-- input:   KEYS 1 the entry, 2 the incarnation of its slot
--          ARGV 1 token of the operation, 2 run: what tells one life of the
--               server from another, as its connection was greeted with,
--               and "+" where it is time to ask whether it still is that,
--               3 trust: 1 where a new run is no new incarnation, else 0;
--               behind it, where routes were moved to this store, the id
--               of that, or zeros once it has said 2, 4 hold, 5 ttl (msec)
-- output:  one string of words, the first the token, the second 1 where the
--               incarnation is new, 2 more where it knows of that move, and
--               4 more until "hold" is over; what follows is said by each
--               script
--
-- An entry is one string of words: flags, version, fence (the highest handed
-- out), until (msec; of a free one: when it was saved), quarantine (msec),
-- token of the lease, the last settles (each a token and what it was told),
-- fingerprint of the last write, that of the one in flight, hash of the body
-- shown, view that it was shown in, mtime (usec), fence of the last write that
-- began over no other, incarnation.  The flags are digits: state, existence,
-- twice, dated, known, overlap, certain, verdict and header of the begin,
-- proves: all writes since were of that view, suspect: unknown since a read.
-- "-" is none.  Behind all that, where its version was made by a link of a
-- chain, 12 hexadecimal digits of the chain and 4 of the link's number, and
-- "+" where it was merged.
--
-- Numbers stay text where they can: Lua's have 53 bits, and to print them
-- takes longer than all the rest.

local FREE, LEASED, QUARANTINED, UNKNOWN = 0, 1, 2, 3
local MAY_EXIST, EXISTS, DELETED = 0, 1, 2
local LIMIT = 2 ^ 53

local call, floor, max = redis.call, math.floor, math.max
local key, token, ttl = KEYS[1], ARGV[1], ARGV[5]
local run, due = string.match(ARGV[2], '^(%x+)(.)')

local clock = call('TIME')
local now = clock[1] * 1000 + floor(clock[2] / 1000)

-- a server that was restarted, flushed or replaced may have forgotten what
-- was in flight: all of that has landed once "hold" is over.  Where routes
-- were moved here, keys may have meant other resources: that makes a new
-- incarnation, too, once for each move; the last 16 are noted, newest first

local born = '0'
local life = call('GET', KEYS[2]) or ''
local life_run, id, since, saved, moves = string.match(life,
                                          '^(%S+) (%S+) (%d+) (%d+)(.*)$')
local trust, move = string.match(ARGV[3], '^(.)0*(.*)$')

moves = moves or ''

local moving = move ~= '' and not string.find(moves, move, 1, true)

if life_run ~= run or due == '+' then

    -- which of both is out of date?  Or both, of a master that was a replica
    -- for a while.

    local info = call('INFO', 'server') .. call('INFO', 'replication')
    local here = string.match(info, 'run_id:(%x%x%x%x%x%x%x%x)')
                 .. string.match(info, 'master_replid:(%x%x%x%x%x%x%x%x)')

    if here ~= run then
        return { err = 'OTHERRUN the server is not what it was' }
    end

end

if life_run ~= run or moving then

    if moving or not (id and trust == '1') then
        id, since, born = token, now, '1'
    end

    saved = 0
end

if moving then
    moves = string.sub(' ' .. move .. moves, 1, 16 * (1 + #move))
end

if move ~= '' then
    born = born + 2
end

if now - saved > ttl / 4 then

    -- it must not be the first to be evicted

    call('SET', KEYS[2], run .. ' ' .. id .. ' ' .. since .. ' ' .. now
                         .. moves,
         'PX', max(ttl * 4, 30 * 86400000))
end

local closed = since + ARGV[4]

if closed > now then
    born = born + 4
end

-- bodies from before the last move may be those of other keys

local function outdated(history)
    local last = string.sub(moves, 2, 17)

    return last ~= '' and call('HGET', history, 'move') ~= last and last
end

local function usec()
    return clock[1] .. string.sub('00000' .. clock[2], -6)
end

local function text(n)
    -- what "..." makes of a number has 14 digits
    return n < 1e14 and n or string.format('%.0f', n)
end

local function minted(version)
    local n = tonumber(version)
    return n and n < LIMIT and n or nil
end

-- more than any before, and at least the time: no number comes back

local function mint(e)
    return text(max(tonumber(e.f or 0), minted(e.v or 0) or 0, now - 1) + 1)
end

local function new(own)
    local e = {
        u = now, q = 0, l = '-', p = '-', b = '-', s = '-', w = '-', z = '-',
        m = '-', c = '0', h = '', state = FREE, existence = MAY_EXIST, twice = 0,
        dated = 0, known = 0, overlap = 0, certain = 0, verdict = 0, header = 0,
        proves = 1, suspect = 0
    }

    e.f = mint(e)
    e.v = own and '0' or e.f

    return e
end

local function set(e, state, till)
    e.state, e.u = state, till

    if state == FREE then
        e.u, e.q, e.w, e.proves, e.suspect = now, 0, '-', 1, 0
    end
end

local function save(e)
    call('SET', key,
         e.state .. e.existence .. e.twice .. e.dated .. e.known .. e.overlap
         .. e.certain .. e.verdict .. e.header .. e.proves .. e.suspect .. ' '
         .. e.v .. ' ' .. e.f .. ' ' .. text(e.u) .. ' ' .. e.q .. ' ' .. e.w
         .. ' ' .. e.z .. ' ' .. e.l .. ' ' .. e.p .. ' ' .. e.b .. ' ' .. e.s
         .. ' ' .. e.m .. ' ' .. e.c .. ' ' .. id
         .. (e.h ~= '' and ' ' .. e.h or ''),
         'PX', text(max(ttl, e.u + e.q - now + 60000)))
end

local function load()
    local value = call('GET', key)

    if not value then
        return nil
    end

    local e = {}
    local flags, u, q, i

    flags, e.v, e.f, u, q, e.w, e.z, e.l, e.p, e.b, e.s, e.m, e.c, i,
          e.h
        = string.match(value, '^(%d+) (%S+) (%d+) (%d+) (%d+) (%S+) (%S+)'
                              .. ' (%S+) (%S+) (%S+) (%S+) (%S+) (%d+)'
                              .. ' (%S+) ?(%S*)$')

    if not flags then
        -- of another release of the module, whose writes may be in flight
        e = new(true)
        set(e, QUARANTINED, now + ARGV[4])
        save(e)
        return e
    end

    local state, existence, twice, dated, known, overlap, certain, verdict,
          header, proves, suspect = string.byte(flags, 1, 11)

    state, u, q = state - 48, tonumber(u), tonumber(q)

    if i ~= id then

        -- of another incarnation: only a GET can tell, and not too early

        if state == LEASED then
            u = u + q
        end

        state, u, e.foreign = QUARANTINED, max(u, closed), true

    elseif state == LEASED and u <= now then
        -- its worker is gone or stuck: what it sent may still land
        state, u = QUARANTINED, u + q
    end

    e.state, e.u, e.q = state, u, q
    e.existence, e.twice, e.dated = existence - 48, twice - 48, dated - 48
    e.known, e.overlap, e.certain = known - 48, overlap - 48, certain - 48
    e.verdict, e.header = verdict - 48, header - 48
    e.proves, e.suspect = proves - 48, suspect - 48

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

-- would a body that "view" shows again prove that nothing was changed since

local function provable(e, view)
    return e.b ~= '-' and view ~= '-' and e.s == view and e.proves or 0
end

-- "state" and "e" as they were judged, "till" when that may change

local function reply(state, e, till, more)
    local wait = till and till > now and till - now or 0

    if not e then
        return token .. ' ' .. born .. ' ' .. state .. ' 0 0 0 - - - 0 0 '
               .. wait .. ' ' .. usec() .. ' ' .. more
    end

    return token .. ' ' .. born .. ' ' .. state .. (e.made and ' 0 ' or ' 1 ')
           .. e.v .. ' ' .. e.f .. ' ' .. e.b .. ' ' .. e.s .. ' ' .. e.m .. ' '
           .. e.twice + 2 * e.dated .. ' ' .. e.existence .. ' ' .. wait
           .. ' ' .. usec() .. ' ' .. more
end

-- A lock is a string, too: token, when it was acquired (usec), idle (msec),
-- length of the user, then user and client.

local function lock_of(lock_key)
    local value = call('GET', lock_key)

    if not value then
        return nil
    end

    local lock, n, names = {}, nil, nil

    lock.token, lock.acquired, lock.idle, n, names = string.match(
        value, '^(%x+) (%d+) (%d+) (%d+) (.*)$')

    lock.user = string.sub(names, 1, n)
    lock.client = string.sub(names, n + 1)

    return lock
end

local function owns(lock, given, user)
    return given ~= '-' and lock.token == given
           or user ~= '' and lock.user == user
end

-- behind all else: when it was acquired, how long it lasts (msec), the
-- lengths of user and client, and both, cut

local function shown(lock, lock_key)
    local user = string.sub(lock.user, 1, 112)
    local client = string.sub(lock.client, 1, 112)

    return ' ' .. lock.acquired .. ' ' .. max(call('PTTL', lock_key), 0) .. ' '
           .. #user .. ' ' .. #client .. ' ' .. user .. client
end

local function ends(e)

    if not e then
        return closed
    end

    if e.state == FREE then
        return nil
    end

    return e.state == LEASED and e.u + e.q or e.u
end
