-- show, acquire and release a lock; count and drop a lock of a user.
--
-- input:   KEYS 3 the lock of the entry; count and drop: the user's locks
--          ARGV 6 verb, 7 token or "-", 8 user, 9 client, 10 fresh: the token
--               of a new lock, 11 idle (msec), 12 force;
--               count and drop: 7 the key of the lock, 8 quota, 9 idle
-- output:  ... state, present, version, fence, hash of the body, its view,
--               mtime, twice and 2 * dated, existence, wait (msec), clock
--               (usec), result, the lock; count: ... 1 if it is within the
--               quota
--
-- The locks of a user are a sorted set of keys by expiry, in a slot of its
-- own, so it takes a call of its own.

-- ngx_http_conflict_lock_result_e

local NONE, HELD, OWN, GRANTED, TAKEN, RELEASED, FORCED = 0, 1, 2, 3, 4, 5, 6

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

if lock then
    -- an old token of the same user is that of a tab that has lost the lock

    if given ~= '-' then
        own = lock.token == given

    else
        own = user ~= '' and lock.user == user
    end
end

local result, more = NONE, ' 0 0 0 0 '

local function hold()
    call('SET', third, lock.token .. ' ' .. lock.acquired .. ' ' .. lock.idle
                       .. ' ' .. #lock.user .. ' ' .. lock.user
                       .. lock.client,
         'PX', lock.idle)
end

if lock then
    result = own and OWN or HELD

    if verb == 'acquire' and (own or lock.token == fresh) then

        if lock.token == fresh then
            -- the answer to this call was lost
            result = GRANTED

        elseif lock.token ~= given then
            result = TAKEN
            lock.token, lock.acquired = fresh, usec()
        end

        lock.idle = ARGV[11]
        hold()
    end

    -- a lock that was taken over is shown with its previous client

    more = shown(lock, third)

    if result == TAKEN then
        lock.client = client
        hold()
    end

    if verb == 'release' and (own or ARGV[12] == '1') then
        result = own and RELEASED or FORCED
        call('DEL', third)
    end

elseif verb == 'acquire' then

    lock = { token = fresh, acquired = usec(), idle = ARGV[11], user = user,
             client = client }
    result = GRANTED
    hold()
    more = shown(lock, third)
end

return reply(state_of(e), e, ends(e), result .. more)
