-- begin: checks policy and preconditions, and takes the lease.
--
-- input:   KEYS 3, if present: the lock of the entry
--          ARGV 6 verdicts: a digit for each check, those of the free state
--               first, 7 own: 1 if the upstream owns versions, 8 fresh: a GET
--               was just observed, 9 force: the wait is over, 10 mode: 1
--               report, 2 lookup: a lease for the GET if there has to be one,
--               3 the same under this lease, 11 lease, 12 quarantine (msec),
--               13 fingerprint, 14 kinds of preconditions, 15 base,
--               16 unmodified (usec), 17 exact, 18 token of a lock, 19 user,
--               20 view, 21 number of match tags, then these, then those of
--               none-match, then for a link the base of its chain ("0": link 1
--               creates the resource) and its own word, then for an edit (kinds
--               with 128) its time (usec, "0": none), its tie-break, and the
--               skew (usec)
-- output:  ... state, present, version, fence, hash of the body, its view,
--               mtime, twice and 2 * dated, existence, wait (msec), clock
--               (usec), verdict, header, leased, overlap, doubt; for an edit
--               the time of the stored one, and 1 if its own was ahead; with
--               LOCKED the lock

-- conflict_verdict_e and conflict_check_e

local PASS, OVERWRITE, DROP, WAIT, FETCH, REPLAY, VERIFY, COMBINE, LOCKED
      = 0, 1, 2, 4, 5, 6, 7, 8, 9
local NO_BASE, HOLDS, STALE, UNSURE, FAILED = 0, 1, 2, 3, 4

local BASE, MATCH, MATCH_ANY, UNMODIFIED = 0x01, 0x02, 0x04, 0x08
local NONE_MATCH, NONE_ANY, CHAIN, EDIT = 0x10, 0x20, 0x40, 0x80

local own, report = ARGV[7] == '1', ARGV[10] == '1'
local lookup, again = ARGV[10] >= '2', ARGV[10] == '3'
local fingerprint, base = ARGV[13], ARGV[15]
local kinds, last_match = tonumber(ARGV[14]), 21 + ARGV[21]

local function kind(bits)
    return bit.band(kinds, bits) ~= 0
end

local last_none, began, link = #ARGV, nil, nil
local edit, tie, ahead

if kinds >= EDIT then
    kinds = kinds - EDIT
    edit, tie = tonumber(ARGV[#ARGV - 2]), tonumber(ARGV[#ARGV - 1])
    ahead = edit > tonumber(usec()) + ARGV[#ARGV] and '1' or '0'
    edit = ahead == '1' and 0 or edit
    last_none = last_none - 3
end

if kind(CHAIN) then
    began, link = ARGV[last_none - 1], ARGV[last_none]
    last_none = last_none - 2
end

local function newer(e, what)
    local b, v = minted(what), minted(e.v)
    return b and v and b > v
end

local function match(e, pending, chained)

    if e.existence == DELETED
        or e.existence == NOT_SHOWN and (ARGV[8] ~= '0' or pending)
    then
        -- a write in flight may create it
        return pending and HOLDS or STALE
    end

    if kind(MATCH_ANY) then
        return e.existence == EXISTS and HOLDS or UNSURE
    end

    for i = 22, last_match do
        if ARGV[i] == e.v or ARGV[i] == pending
            or chained and ARGV[i] == began
        then
            return HOLDS
        end
    end

    -- it may be that of the write in flight, which may be visible already
    return pending and own and UNSURE or STALE
end

local function unmodified(e)
    local date, mtime = tonumber(ARGV[16]), tonumber(e.m)

    if not mtime then
        -- ignored without a modification date (RFC 9110, 13.1.4)
        return HOLDS
    end

    if ARGV[17] ~= '1' then
        date = floor(date / 1000000)
        mtime = floor(mtime / 1000000) + e.twice
    end

    -- dates that went back: an earlier version may have had a later one

    return (date == mtime or date > mtime and e.twice == 0) and HOLDS or STALE
end

local function absent(e, pending)

    if e.existence == DELETED or e.existence == NOT_SHOWN then
        -- the 404 may have been for a client that may not see the resource
        return ARGV[8] == '0' and not pending and UNSURE or HOLDS
    end

    if e.existence == MAY_EXIST then
        return UNSURE
    end

    -- a write in flight may delete it
    return pending and HOLDS or STALE
end

local function none_match(e, pending)

    if kind(NONE_ANY) then
        return absent(e, pending)
    end

    if e.existence == DELETED or e.existence == NOT_SHOWN then
        return HOLDS
    end

    for i = last_match + 1, last_none do
        if ARGV[i] == e.v then
            return pending and HOLDS or STALE
        end
    end

    return HOLDS
end

local function based(e, pending, what)

    if what == e.v or what == pending then
        return HOLDS
    end

    -- a base newer than the entry: this store has lost a version
    return (ARGV[8] == '0' and newer(e, what) or pending and own)
           and UNSURE or STALE
end

local function chain(e, pending)

    if string.sub(e.h, 1, 12) == string.sub(link, 1, 12) then

        if tonumber(string.sub(link, 13), 16)
           <= tonumber(string.sub(e.h, 13, 16), 16)
        then
            return FAILED
        end

        return string.sub(e.h, 17) == '+' and STALE or HOLDS
    end

    if began ~= '0' then
        return based(e, pending, began)
    end

    if tonumber(string.sub(link, 13), 16) > 1 then
        -- link 1 has created it, so if it is absent, it was deleted
        return pending and HOLDS or STALE
    end

    return absent(e, pending)
end

-- as conflict_decide_precondition() does

local function check(e, pending)
    local result = HOLDS
    local linked = link and chain(e, pending)
    local chained = linked == HOLDS

    if kind(MATCH + MATCH_ANY) then
        result = match(e, pending, chained)

    elseif kind(UNMODIFIED) then
        result = unmodified(e)
    end

    if result ~= STALE and kind(NONE_MATCH + NONE_ANY)
        and not (kind(NONE_ANY) and chained and began == '0')
    then
        local c = none_match(e, pending)
        result = c ~= HOLDS and c or result
    end

    if result == STALE or linked == FAILED then
        return FAILED
    end

    if linked and not chained then
        result = linked
    end

    if kind(BASE) and not (linked and base == began) then
        local c = based(e, pending, base)
        result = c ~= HOLDS and c or result
    end

    return result
end

local e = load()
local state = state_of(e)

local lock = KEYS[3] and lock_of(KEYS[3])
local mine = lock and owns(lock, ARGV[18], ARGV[19])
local more = lock and not mine and shown(lock, KEYS[3]) or ''
local stored, rank = 1, 0

if edit and e then
    stored, rank = edits(e)
end

local edited = edit and ' ' .. text(stored) .. ' ' .. ahead or ''

local held = e and e.state == LEASED and e.w == token

-- its request has ended meanwhile: nothing would settle another lease

local settled = e and string.find(e.z, token, 1, true)

again = held and again

if again then
    -- its GET has shown the version, unless a write has ended late
    state = e.known == 1 and e.overlap == 0 and FREE or UNKNOWN

elseif held then
    -- the answer to this begin was lost
    return reply(e.known == 1 and FREE or UNKNOWN, e, nil,
                 e.verdict .. ' ' .. e.header .. ' 1 ' .. e.overlap .. ' 0'
                 .. edited
                 .. (e.verdict ~= LOCKED and '' or more ~= '' and more
                     or ' 0 0 0 0 '))
end

local checked = kinds == 0 and NO_BASE or HOLDS

if kinds ~= 0 and e and state ~= UNKNOWN then
    checked = check(e, state ~= FREE and e.f or nil)
end

local verdict = string.byte(ARGV[6], state * 5 + checked + 1) - 48
local stale = checked == STALE or checked == FAILED
local header = checked == FAILED and bit.band(kinds, 0x3e) ~= 0 and 1 or 0
local doubt = 0

-- as conflict_decide_edited() does

if edit and edit ~= 0 and verdict ~= FETCH
    and (edit < stored or edit == stored and tie < rank)
    and not (checked == HOLDS
             and (kind(BASE + MATCH) or link and began ~= '0'))
then
    verdict, stale = DROP, true
end

if lock and not mine then
    verdict, header = LOCKED, 0

elseif verdict == WAIT and ARGV[9] == '1' then
    verdict = OVERWRITE

elseif stale and verdict ~= WAIT and fingerprint ~= '-'
    and e.l == fingerprint
then
    -- the history has the body that a merge has made of it
    verdict = e.certain == 1 and REPLAY or verdict == COMBINE and verdict
              or VERIFY

elseif state == FREE and checked == UNSURE and kind(BASE)
    and newer(e, base)
then
    -- this store may have lost a version: only a GET resolves that
    doubt = 1
end

if mine and not lock.reserved then
    call('PEXPIRE', KEYS[3], lock.idle)
end

local passes = verdict == PASS or verdict == OVERWRITE or verdict == COMBINE
               or report and verdict ~= FETCH

if (passes or lookup and verdict == FETCH) and not settled then

    local till = ends(e)

    if not e then
        e = new(own)
        e.made = true
    end

    if not again then
        e.known = state == FREE and 1 or 0
        e.overlap = (state == LEASED or state == QUARANTINED) and 1 or 0
        e.f = mint(e)
        e.c = e.overlap == 1 and e.c or e.f
    end

    e.q, e.w, e.verdict, e.header = ARGV[12], token, verdict, header

    if passes then
        -- else nothing will be written before the begin that follows
        e.proves, e.p = provable(e, ARGV[20]), fingerprint
    end

    if passes and edit then
        local t, k = last_edit(e)

        if edit == 0 then
            -- it has arrived after the stored one, whose time may be ahead
            edit = max(tonumber(usec()), t)
        end

        if edit < t or edit == t and tie < k then
            edit, tie = t, k
        end

        e.d = string.match(e.d, '^[^/]*') .. '/' .. edit_word(edit, tie)

    elseif passes then
        e.d = string.match(e.d, '^[^/]*')
    end

    set(e, LEASED, now + ARGV[11])
    save(e)

    return reply(state, e, till, verdict .. ' ' .. header .. ' 1 '
                                 .. e.overlap .. ' ' .. doubt .. edited
                                 .. more)
end

if verdict == FETCH and not e then
    -- an entry for the GET, to detect whether a write overtakes it
    e = new(own)
    set(e, QUARANTINED, now)
    save(e)
end

return reply(state, e, ends(e), verdict .. ' ' .. header
                                .. (again and ' 1 0 ' or ' 0 0 ') .. doubt
                                .. edited .. more)
