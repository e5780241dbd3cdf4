-- show, acquire and release a lock; count and drop a lock of a user.
--
-- input:   KEYS 3 the lock of the entry; count and drop: the user's locks
--          ARGV 6 verb, 7 token or "-", 8 user, 9 client, 10 fresh: the token
--               of a new lock, 11 idle (msec), 12 force, 13 note: how long
--               one that waits is remembered, 14 reserve: for how long the lock
--               is reserved for the first of them, if this releases it (msec);
--               count and drop: 7 the key of the lock, 8 quota, 9 idle
-- output:  ... state, present, version, fence, hash of the body, its view,
--               mtime, twice and 2 * dated, existence, wait (msec), clock
--               (usec), result, reserved (the lock is not held), waiting (how
--               many do), for each of them since when (usec), user and client
--               in hexadecimal or "-", the lock; count: ... 1 if it is within
--               the quota
--
-- The locks of a user are a sorted set of keys by expiry, in a slot of its
-- own, so it takes a call of its own.

-- ngx_http_conflict_lock_result_e

local NONE, HELD, OWN, GRANTED, TAKEN, RELEASED, FORCED, HANDED
      = 0, 1, 2, 3, 4, 5, 6, 8

-- notes of those that wait, as ngx_http_conflict_store.h limits them

local NOTES, LONGEST, SHOWN = 4, 1024, 112

local verb, third = ARGV[6], KEYS[3]

if verb == 'drop' then
    call('ZREM', third, ARGV[7])
    return head .. ' 1'
end

if verb == 'count' then
    call('ZREMRANGEBYSCORE', third, '-inf', now)

    if not call('ZSCORE', third, ARGV[7])
        and call('ZCARD', third) >= tonumber(ARGV[8])
    then
        return head .. ' 0'
    end

    call('ZADD', third, text(now + ARGV[9]), ARGV[7])
    call('PEXPIRE', third, max(call('PTTL', third), ARGV[9]))

    return head .. ' 1'
end

local given, user, client, fresh = ARGV[7], ARGV[8], ARGV[9], ARGV[10]

local e = load()
local lock = lock_of(third)
local own

-- of the same user, or of the same client if nobody knows the user

local function same(what)
    return what.user == user
           and (user ~= '' or client ~= '' and what.client == client)
end

if lock and lock.reserved then
    own = same(lock)

elseif lock then
    -- an old token of the same user is that of a tab that has lost the lock

    if given ~= '-' then
        own = lock.token == given

    else
        own = user ~= '' and lock.user == user
    end
end

local result, more = NONE, ' 0 0 0 0 '

-- a note: since (usec), until (msec), lengths, user and client

local notes, rest = {}, lock and lock.notes or ''

while rest ~= '' do
    local since, till, n, m, names
          = string.match(rest, '^(%d+) (%d+) (%d+) (%d+) (.*)$')

    till = tonumber(till)

    if till > now then
        notes[#notes + 1] = { since = since, till = till,
                              user = string.sub(names, 1, n),
                              client = string.sub(names, n + 1, n + m) }
    end

    rest = string.sub(names, n + m + 1)
end

local function hold(time)
    local list = ''

    for _, note in ipairs(notes) do
        list = list .. note.since .. ' ' .. text(note.till) .. ' '
               .. #note.user .. ' ' .. #note.client .. ' '
               .. note.user .. note.client
    end

    call('SET', third, lock.token .. ' ' .. lock.acquired .. ' ' .. lock.idle
                       .. ' ' .. #lock.user .. ' ' .. #lock.client .. ' '
                       .. lock.user .. lock.client .. list,
         'PX', text(max(time, 1)))
end

local function take()
    lock.token, lock.acquired, lock.idle = fresh, usec(), ARGV[11]
    lock.user, lock.client, lock.reserved = user, client, false
end

-- the caller waits, and says so again

local function wait()
    local mine

    for _, note in ipairs(notes) do
        mine = mine or same(note) and note
    end

    if not mine and #notes < NOTES and (user ~= '' or client ~= '')
        and #user + #client <= LONGEST
    then
        mine = { since = usec(), user = user, client = client }
        notes[#notes + 1] = mine
    end

    if mine then
        mine.till = now + ARGV[13]
        hold(call('PTTL', third))
    end
end

if lock then
    result = own and OWN or HELD

    if verb == 'acquire' and own and lock.reserved then
        result = GRANTED
        take()
        hold(lock.idle + 0)

    elseif verb == 'acquire' and (own or lock.token == fresh) then

        if lock.token == fresh then
            -- the answer to this call was lost
            result = GRANTED

        elseif lock.token ~= given then
            result = TAKEN
            lock.token, lock.acquired = fresh, usec()
        end

        lock.idle = ARGV[11]
        hold(lock.idle + 0)

    elseif verb == 'acquire' and ARGV[13] ~= '0' then
        wait()
    end

    -- a lock that was taken over is shown with its previous client

    more = shown(lock, third)

    if result == TAKEN then
        lock.client = client
        hold(lock.idle + 0)
    end

    if verb == 'release' and own and ARGV[14] ~= '0' and not lock.reserved
        and notes[1]
    then
        local first = table.remove(notes, 1)

        result = HANDED
        lock.token, lock.acquired = RESERVED, usec()
        lock.user, lock.client = first.user, first.client
        hold(ARGV[14] + 0)

    elseif verb == 'release' and (own or ARGV[12] == '1') then
        result = own and RELEASED or FORCED
        call('DEL', third)
    end

elseif verb == 'acquire' then

    lock = {}
    result = GRANTED
    take()
    hold(lock.idle + 0)
    more = shown(lock, third)
end

-- in hexadecimal: names may have any bytes, and a space ends a word

local function hex(s)
    return s == '' and '-'
           or (string.gsub(string.sub(s, 1, SHOWN), '.', function (c)
                   return string.format('%02x', string.byte(c))
               end))
end

local said = { result, lock and lock.reserved and 1 or 0, #notes }

for _, note in ipairs(notes) do
    said[#said + 1] = note.since .. ' ' .. hex(note.user) .. ' '
                      .. hex(note.client)
end

return reply(state_of(e), e, ends(e), table.concat(said, ' ') .. more)
