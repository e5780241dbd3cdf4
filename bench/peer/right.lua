-- The right way: a lease before the write, and a new version only after the
-- upstream has accepted it.  A filter cannot wait for Redis, so the request to
-- the upstream is a subrequest.

local peer = require "peer"

local _M = {}

local begin = peer.script [[
    local version = redis.call('GET', KEYS[1])

    if version and ARGV[2] ~= '' and ARGV[2] ~= version then
        return {0, version}
    end

    if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', 10000) then
        return {0}
    end

    return {1, version or ARGV[3]}
]]

local commit = peer.script [[
    if redis.call('GET', KEYS[2]) ~= ARGV[1] then
        return 0
    end

    redis.call('SET', KEYS[1], ARGV[2])

    return redis.call('DEL', KEYS[2])
]]

local cancel = peer.script [[
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then
        return 0
    end

    return redis.call('DEL', KEYS[1])
]]


local function forward(method)
    return ngx.location.capture("/upstream" .. ngx.var.request_uri,
                                { method = method })
end


local function answer(result)
    ngx.status = result.status

    for name, value in pairs(result.header) do
        ngx.header[name] = value
    end

    if result.status ~= ngx.HTTP_NO_CONTENT then
        ngx.header["Content-Length"] = #result.body
        ngx.print(result.body)
    end
end


local function read(key)
    local version = peer.current(key)
    local result = forward(ngx.HTTP_GET)

    if version then
        result.header["ETag"] = nil
        peer.tag("passed", version)
    end

    answer(result)
end


local function write(key)
    local lease = "lease:" .. key
    local token = ngx.var.request_id

    local result = peer.run(begin, 2, key, lease, token, peer.base())

    if result[1] == 0 then
        return peer.refuse(result[2])
    end

    local version = ("%.0f"):format(result[2] + 1)
    local sent = forward(ngx.HTTP_PUT)

    if sent.status < 200 or sent.status >= 300 then
        peer.run(cancel, 1, lease, token)

    elseif peer.run(commit, 2, key, lease, token, version) == 0 then
        return ngx.exit(ngx.HTTP_SERVICE_UNAVAILABLE)

    else
        sent.header["ETag"] = nil
        peer.tag("passed", version)
    end

    answer(sent)
end


function _M.content()
    local key = "version:" .. ngx.var.uri

    if ngx.req.get_method() == "PUT" then
        return write(key)
    end

    return read(key)
end


return _M
