-- The usual way: one script checks the base and increments the version, then
-- the request is forwarded.  A write that the upstream refuses gets a version
-- as well, and concurrent writes can be done in an order other than that of
-- their versions.

local peer = require "peer"

local _M = {}

local bump = peer.script [[
    local version = redis.call('GET', KEYS[1])

    if not version then
        redis.call('SET', KEYS[1], ARGV[2])
    elseif ARGV[1] ~= '' and ARGV[1] ~= version then
        return {0, version}
    end

    return {1, redis.call('INCR', KEYS[1])}
]]


function _M.access()
    local key = "version:" .. ngx.var.uri

    if ngx.req.get_method() ~= "PUT" then
        ngx.ctx.version = peer.current(key)
        return
    end

    local result = peer.run(bump, 1, key, peer.base())

    if result[1] == 0 then
        return peer.refuse(result[2])
    end

    ngx.ctx.version = result[2]
end


function _M.header()
    local version = ngx.ctx.version

    if version then
        peer.tag("passed", version)
    end
end


return _M
