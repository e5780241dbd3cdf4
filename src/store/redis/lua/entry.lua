-- The head of every script: an entry, its clock and its incarnation.
--
-- input:   KEYS 1 the entry, 2 the incarnation of its slot
--          ARGV 1 token of the operation, 2 run: what identifies one life of
--               the server, as found in the handshake, and "+" when it is
--               time to check it again, 3 trust: 1 if a new run is no new
--               incarnation, else 0; behind it, if routes were moved to this
--               store, the id of the move, or zeros after an answer of 2,
--               4 hold, 5 ttl (msec)
-- output:  one string of words, the first the token, the second 1 if the
--               incarnation is new, plus 2 if it has noted the move, plus 4
--               until "hold" is over; each script states what follows.  Once
--               "hold" is over, the token is followed by "+", the length of
--               the incarnation, and this, with a space before and behind
--
-- An entry is one string of words: flags, token of the lease, fence (the
-- highest handed out), until (msec, also as a sum; of a free entry: when it was
-- saved), quarantine (msec), fingerprint of the write in flight, fence of the
-- last write that began over no other, version, hash of the body shown, view
-- that it was shown in, mtime (usec), fingerprint of the last write, the last
-- settles (each a token and its answer), incarnation.  The flags are digits:
-- state, existence, twice, dated, certain, known, overlap, verdict and header
-- of the begin, proves: all writes since are of that view, suspect: unknown
-- since a read.  "-" is none.  If a link of a chain has made the version, a
-- last word has 12 hexadecimal digits of the chain, 4 of the number of the
-- link, and "+" if it was merged.  If the version was made by an edit with a
-- time, or the write in flight is one, the last word goes on with "@", time
-- (usec) and tie-break of the former, "/", and both of the latter, each as
-- "N.N" or empty.
--
-- begin_fast, settle_fast and read_fast know the form of an entry as well.
--
-- Numbers stay strings where possible: numbers in Lua have 53 bits, and
-- printing them takes longer than all the rest.

local FREE, LEASED, QUARANTINED, UNKNOWN = 0, 1, 2, 3
local MAY_EXIST, EXISTS, DELETED, NOT_SHOWN = 0, 1, 2, 3
local LIMIT = 2 ^ 53
local RESERVED = string.rep('0', 32)

local call, floor, max = redis.call, math.floor, math.max
local key, token, ttl = KEYS[1], ARGV[1], ARGV[5]
local run, due = string.match(ARGV[2], '^(%x+)(.)')

local clock = call('TIME')
local now = clock[1] * 1000 + floor(clock[2] / 1000)

-- A server that was restarted, flushed or replaced may have lost writes in
-- flight, all of which have landed once "hold" is over.  If routes were moved
-- here, keys may have named other resources, so each move makes a new
-- incarnation once; the last 16 moves are noted, newest first.

local incarnation = '0'
local stored = call('GET', KEYS[2]) or ''
local stored_run, id, since, saved, moves
      = string.match(stored, '^(%S+) (%S+) (%d+) (%d+)(.*)$')
local trust, move = string.match(ARGV[3], '^(.)0*(.*)$')

moves = moves or ''

if since and since + 0 > now then
    -- the clock was set back, and "hold" would last until it is there again
    since, saved = now, 0
end

local moving = move ~= '' and not string.find(moves, move, 1, true)

if stored_run ~= run or due == '+' then

    -- either may be out of date, or both, if the master was a replica for
    -- a while

    local info = call('INFO', 'server') .. call('INFO', 'replication')
    local actual = string.match(info, 'run_id:(%x%x%x%x%x%x%x%x)')
                   .. string.match(info, 'master_replid:(%x%x%x%x%x%x%x%x)')

    if actual ~= run then
        return { err = 'OTHERRUN the server was restarted or replaced' }
    end

end

if stored_run ~= run or moving then

    if moving or not (id and trust == '1') then
        id, since, incarnation = token, now, '1'
    end

    saved = 0
end

if moving then
    moves = string.sub(' ' .. move .. moves, 1, 16 * (1 + #move))
end

if move ~= '' then
    incarnation = incarnation + 2
end

if now - saved > ttl / 4 then

    -- a long ttl, so that it is not the first to be evicted

    stored = run .. ' ' .. id .. ' ' .. since .. ' ' .. now .. moves

    call('SET', KEYS[2], stored, 'PX', max(ttl * 4, 30 * 86400000))
end

local closed = since + ARGV[4]

-- how each answer begins

local head

if closed > now then
    head = token .. ' ' .. incarnation + 4

else
    head = token .. '+' .. #stored .. ' ' .. stored .. ' ' .. incarnation
end

-- bodies from before the last move may belong to other resources

local function outdated(history)
    local last = string.sub(moves, 2, 17)

    return last ~= '' and call('HGET', history, 'move') ~= last and last
end

local function usec()
    return clock[1] .. string.sub('00000' .. clock[2], -6)
end

local function text(n)
    -- ".." prints a number with 14 digits
    return n < 1e14 and n or string.format('%.0f', n)
end

local function minted(version)
    local n = tonumber(version)
    return n and n < LIMIT and n or nil
end

-- more than any before, and at least the time, so no number is used again

local function mint(e)
    return text(max(tonumber(e.f or 0), minted(e.v or 0) or 0, now - 1) + 1)
end

local function new(own)
    local e = {
        u = now, q = 0, l = '-', p = '-', b = '-', s = '-', w = '-', z = '-',
        m = '-', c = '0', h = '', d = '', state = FREE, existence = MAY_EXIST,
        twice = 0, dated = 0, known = 0, overlap = 0, certain = 0,
        verdict = 0, header = 0, proves = 1, suspect = 0
    }

    e.f = mint(e)
    e.v = own and '0' or e.f

    return e
end

local function set(e, state, till)
    e.state, e.u = state, till

    if state == FREE then
        e.u, e.q, e.w, e.proves, e.suspect = now, 0, '-', 1, 0
        e.known, e.overlap, e.verdict, e.header = 0, 0, 0, 0
    end
end

local function save(e)
    local last = e.h .. (e.d ~= '' and '@' .. e.d or '')

    call('SET', key,
         e.state .. e.existence .. e.twice .. e.dated .. e.certain .. e.known
         .. e.overlap .. e.verdict .. e.header .. e.proves .. e.suspect .. ' '
         .. e.w .. ' ' .. e.f .. ' ' .. text(e.u) .. ' ' .. e.q .. ' ' .. e.p
         .. ' ' .. e.c .. ' ' .. e.v .. ' ' .. e.b .. ' ' .. e.s .. ' ' .. e.m
         .. ' ' .. e.l .. ' ' .. e.z .. ' ' .. id
         .. (last ~= '' and ' ' .. last or ''),
         'PX', text(max(ttl, e.u + e.q - now + 60000)))
end

local function load()
    local value = call('GET', key)

    if not value then
        return nil
    end

    local e = {}
    local flags, u, more, q, i

    flags, e.w, e.f, u, more, q, e.p, e.c, e.v, e.b, e.s, e.m, e.l, e.z, i,
          e.h, e.d
        = string.match(value, '^(%d+) (%S+) (%d+) (%d+)%+?(%d*) (%d+) (%S+)'
                              .. ' (%d+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)'
                              .. ' (%S+) ?([^%s@]*)@?(%S*)$')

    if not flags then
        -- from another release of the module, whose writes may be in flight
        e = new(true)
        set(e, QUARANTINED, now + ARGV[4])
        save(e)
        return e
    end

    local state, existence, twice, dated, certain, known, overlap, verdict,
          header, proves, suspect = string.byte(flags, 1, 11)

    state, u, q = state - 48, u + (tonumber(more) or 0), tonumber(q)

    if i ~= id then

        -- from another incarnation: only a GET resolves it, after "hold"

        if state == LEASED then
            u = u + q
        end

        state, u, e.foreign = QUARANTINED, max(u, closed), true

    elseif state == LEASED and u <= now then
        -- its worker is gone or stuck, but its write may still land
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

-- The edit that has made the version, and that of the write in flight, each
-- as time and tie-break: conflict_edit.h.  1 is the oldest time, 0 is none.

local function edits(e)
    local t, k, pt, pk = string.match(e.d, '^(%d*)%.?(%d*)/?(%d*)%.?(%d*)$')

    t, k = tonumber(t), tonumber(k) or 0

    if not t then
        t = e.dated == 1 and tonumber(e.m) or 1
        t = t > 1 and t or 1
    end

    return t, k, tonumber(pt) or 0, tonumber(pk) or 0
end

-- the later one of both

local function last_edit(e)
    local t, k, pt, pk = edits(e)

    if t < pt or t == pt and k < pk then
        return pt, pk
    end

    return t, k
end

local function edit_word(t, k)
    return text(t) .. '.' .. text(k)
end

-- whether the same body, shown again in "view", proves that nothing changed

local function provable(e, view)
    return e.b ~= '-' and view ~= '-' and e.s == view and e.proves or 0
end

-- "state" and "e" as the script has judged them, "till" when that may change

local function reply(state, e, till, more)
    local wait = till and till > now and till - now or 0

    if not e then
        return head .. ' ' .. state .. ' 0 0 0 - - - 0 0 ' .. wait .. ' '
               .. usec() .. ' ' .. more
    end

    return head .. ' ' .. state .. (e.made and ' 0 ' or ' 1 ') .. e.v .. ' '
           .. e.f .. ' ' .. e.b .. ' ' .. e.s .. ' ' .. e.m .. ' '
           .. e.twice + 2 * e.dated .. ' ' .. e.existence .. ' ' .. wait .. ' '
           .. usec() .. ' ' .. more
end

-- A lock is a string as well: token, when it was acquired (usec), idle (msec),
-- lengths of user and client, then user, client and the notes of those that
-- wait.  One that is reserved for its user has a token of zeros, which nobody
-- has.

local function lock_of(lock_key)
    local value = call('GET', lock_key)

    if not value then
        return nil
    end

    local lock, n, m, names = {}, nil, nil, nil

    lock.token, lock.acquired, lock.idle, n, m, names = string.match(
        value, '^(%x+) (%d+) (%d+) (%d+) (%d+) (.*)$')

    lock.user = string.sub(names, 1, n)
    lock.client = string.sub(names, n + 1, n + m)
    lock.notes = string.sub(names, n + m + 1)
    lock.reserved = lock.token == RESERVED

    return lock
end

local function owns(lock, given, user)
    return given ~= '-' and lock.token == given and not lock.reserved
           or user ~= '' and lock.user == user
end

-- a lock at the end of an answer: when it was acquired, its remaining time
-- (msec), the lengths of user and client, and both, truncated

local function shown(lock, lock_key)
    local user = string.sub(lock.user, 1, 112)
    local client = string.sub(lock.client, 1, 112)
    local left = max(call('PTTL', lock_key), 0)

    if left > lock.idle + 0 and not lock.reserved then
        -- the clock was set back
        left = lock.idle
        call('PEXPIRE', lock_key, left)
    end

    return ' ' .. lock.acquired .. ' ' .. left .. ' ' .. #user .. ' ' .. #client
           .. ' ' .. user .. client
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
