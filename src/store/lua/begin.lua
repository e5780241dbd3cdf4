-- begin: checks policy and preconditions, and takes the lease.
--
-- input:   ARGV 6 verdicts: a digit for each check, those of the free state
--               first, 7 own: 1 where the upstream owns versions, 8 fresh,
--               9 force, 10 report, 11 lease, 12 quarantine (msec),
--               13 fingerprint, 14 kinds of preconditions, 15 base,
--               16 unmodified (usec), 17 exact, 18 number of match tags,
--               then these, then those of none-match
-- output:  ... verdict, header, leased, overlap

-- conflict_verdict_e and conflict_check_e

local PASS, OVERWRITE, WAIT, FETCH, REPLAY, VERIFY = 0, 1, 4, 5, 6, 7
local NO_BASE, HOLDS, STALE, UNSURE = 0, 1, 2, 3

local BASE, MATCH, MATCH_ANY, UNMODIFIED = 0x01, 0x02, 0x04, 0x08
local NONE_MATCH, NONE_ANY = 0x10, 0x20

local verdicts, own = ARGV[6], ARGV[7] == '1'
local fresh, force, report = ARGV[8] == '1', ARGV[9] == '1', ARGV[10] == '1'
local lease, quarantine = tonumber(ARGV[11]), tonumber(ARGV[12])
local fingerprint = ARGV[13]
local kinds, base = tonumber(ARGV[14]), ARGV[15]
local last_match = 18 + tonumber(ARGV[18])

local function kind(bits)
    return bit.band(kinds, bits) ~= 0
end

local function match(e, pending)

    if e.existence == DELETED then
        -- a write in flight may create it
        return pending and HOLDS or STALE
    end

    if kind(MATCH_ANY) then
        return e.existence == EXISTS and HOLDS or UNSURE
    end

    for i = 19, last_match do
        if ARGV[i] == e.v or ARGV[i] == pending then
            return HOLDS
        end
    end

    return STALE
end

local function unmodified(e)
    local date = tonumber(ARGV[16])

    if not e.m then
        -- ignored where there is no modification date (RFC 9110, 13.1.4)
        return HOLDS
    end

    if ARGV[17] == '1' then
        return e.m <= date and HOLDS or STALE
    end

    return second(e.m, e.twice) <= second(date, 0) and HOLDS or STALE
end

local function none_match(e, pending)

    if e.existence == DELETED then
        return HOLDS
    end

    if kind(NONE_ANY) then

        if e.existence == MAY_EXIST then
            return UNSURE
        end

        -- a write in flight may delete it
        return pending and HOLDS or STALE
    end

    for i = last_match + 1, #ARGV do
        if ARGV[i] == e.v then
            return pending and HOLDS or STALE
        end
    end

    return HOLDS
end

local function newer(e)
    local b, v = minted(base), minted(e.v)
    return b and v and b > v
end

local function body_base(e, pending)

    if base == e.v or base == pending then
        return HOLDS
    end

    -- a base from the future: this store has forgotten something

    return (not fresh and newer(e)) and UNSURE or STALE
end

-- as conflict_check() does, with the header that was stale

local function check(e, pending)
    local result, c = HOLDS, nil

    if kinds == 0 then
        return NO_BASE, 0
    end

    if kind(MATCH + MATCH_ANY) then
        result = match(e, pending)

    elseif kind(UNMODIFIED) then
        result = unmodified(e)
    end

    if result ~= STALE and kind(NONE_MATCH + NONE_ANY) then
        c = none_match(e, pending)
        result = c ~= HOLDS and c or result
    end

    if result == STALE then
        return STALE, 1
    end

    if kind(BASE) then
        c = body_base(e, pending)
        result = c ~= HOLDS and c or result
    end

    return result, 0
end

local e = load()
local state = state_of(e)

if e and e.state == LEASED and e.w == token then
    -- the answer to this very begin was lost
    return reply(e, table.concat({e.verdict, e.header, 1, e.overlap}, ' '))
end

local checked, header = kinds == 0 and NO_BASE or HOLDS, 0

if e and state ~= UNKNOWN then
    checked, header = check(e, state ~= FREE and text(e.f) or nil)
end

local verdict = string.byte(verdicts, state * 4 + checked + 1) - 48
local forget = false

if verdict == WAIT and force then
    verdict = OVERWRITE

elseif checked == STALE and verdict ~= WAIT and fingerprint ~= '-'
    and e.l == fingerprint
then
    verdict = e.certain == 1 and REPLAY or VERIFY

elseif state == FREE and checked == UNSURE and kind(BASE) and newer(e) then
    -- this store has forgotten a version: only a GET can tell now
    set(e, QUARANTINED, now)
    forget = true
end

if verdict == PASS or verdict == OVERWRITE or report then

    local seen = reply(e, '')

    e = e or new(own)

    e.known = state == FREE and 1 or 0
    e.overlap = (state == LEASED or state == QUARANTINED) and 1 or 0
    e.f = mint(e)
    e.p, e.q, e.w = fingerprint, quarantine, token
    e.verdict, e.header = verdict, header

    set(e, LEASED, now + lease)
    save(e)

    -- what was judged, under the version and fence of the lease

    local words = {}

    for word in string.gmatch(seen, '%S+') do
        words[#words + 1] = word
    end

    words[5], words[6] = e.v, text(e.f)

    return table.concat(words, ' ') .. ' '
           .. table.concat({verdict, header, 1, e.overlap}, ' ')
end

if verdict == FETCH and not e then
    -- a place for what the GET will show, to tell if it was overtaken
    e = new(own)
    set(e, QUARANTINED, now)
    save(e)

elseif forget then
    save(e)
end

return reply(e, table.concat({verdict, header, 0, 0}, ' '))
