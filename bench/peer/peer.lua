-- Common to both Lua implementations: the base of a request, a script that runs
-- in Redis, and the response to the client.  init() has to set the port.

local cjson = require "cjson.safe"
local redis = require "nginx.redis"

local _M = {}


local function hex(text)
    return (text:gsub(".", function(c)
        return ("%02x"):format(c:byte())
    end))
end


function _M.script(text)
    return { text = text, sha = hex(ngx.sha1_bin(text)) }
end


function _M.run(script, ...)
    local db = redis:new()
    db:set_timeout(1000)

    local result
    local ok, err = db:connect("127.0.0.1", _M.port)

    if ok then
        result, err = db:evalsha(script.sha, ...)

        if result == false and err:find("NOSCRIPT", 1, true) then
            result, err = db:eval(script.text, ...)
        end
    end

    if not result then
        ngx.log(ngx.ERR, "redis: ", err)
        return ngx.exit(ngx.HTTP_SERVICE_UNAVAILABLE)
    end

    db:set_keepalive(60000, 32)

    return result
end


local function body()
    ngx.req.read_body()

    local name = ngx.req.get_body_file()

    if not name then
        return ngx.req.get_body_data()
    end

    local file = assert(io.open(name, "rb"))
    local text = file:read("*a")
    file:close()

    return text
end


-- the base, "" if the request has none, and the initial version of a resource
-- without one; with 13 digits, like those of the module

function _M.base()
    local first = "1000000000000"
    local text = body()

    if not text then
        return "", first
    end

    local json = cjson.decode(text)

    if type(json) ~= "table" then
        return ngx.exit(ngx.HTTP_BAD_REQUEST)
    end

    if json.base_version == nil then
        return "", first
    end

    local base = tonumber(json.base_version)

    if not base then
        return ngx.exit(ngx.HTTP_BAD_REQUEST)
    end

    base = ("%.0f"):format(base)

    return base, base
end


function _M.tag(item, version)
    version = ("%.0f"):format(version)
    ngx.header["ETag"] = '"' .. version .. '"'
    ngx.header["Conflict"] = item .. ";version=" .. version
end


function _M.refuse(version)
    local text = cjson.encode({ error = "version_conflict", status = 409 })

    ngx.status = ngx.HTTP_CONFLICT
    ngx.header["Content-Type"] = "application/json"
    ngx.header["Content-Length"] = #text

    if version then
        _M.tag("rejected", version)
    end

    ngx.print(text)

    return ngx.exit(ngx.HTTP_OK)
end


-- versions of reads

local current = _M.script [[
    return redis.call('GET', KEYS[1])
]]


function _M.current(key)
    local version = _M.run(current, 1, key)

    return version ~= ngx.null and version or nil
end


return _M
