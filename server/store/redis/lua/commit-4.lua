-- Replaces a service's alert state and queues the messages that follow from it, together or not at all.
-- Atomic: of two daemons that decide at once the second must find the version moved on, and a state without
-- its messages would be an alert that nobody is ever told.
--
-- KEYS[1] hash  {service}:ledger    version, state (json), token (last fencing token)
-- KEYS[2] hash  {service}:outbox    id -> "due lease-until token attempts json"; times in epoch milliseconds
-- KEYS[3] zset  {service}:order     id by creation time
-- KEYS[4] zset  {service}:settled   id by the token under which it was settled; the last 1,000
-- ARGV    expected version, state (text), most entries, then for each entry: id (text), created at, json (text)
-- Returns the new version, 0 when the version is another, -1 when the outbox has no room for the entries.

local expected, most = tonumber(ARGV[1]), tonumber(ARGV[3])
if not expected or not ARGV[2] or not most or (#ARGV - 3) % 3 ~= 0 then error('commit: bad arguments') end
local fresh, named = {}, {}
for i = 4, #ARGV, 3 do
  local id = ARGV[i]
  if not tonumber(ARGV[i + 1]) then error('commit: a creation time is not a number') end
  if not named[id]
    and redis.call('HEXISTS', KEYS[2], id) == 0
    and not redis.call('ZSCORE', KEYS[4], id)
  then
    named[id] = true
    fresh[#fresh + 1] = i
  end
end
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
if version ~= expected then return 0 end
if redis.call('ZCARD', KEYS[3]) + #fresh > most then return -1 end

redis.call('HSET', KEYS[1], 'version', string.format('%.0f', version + 1), 'state', ARGV[2])
for _, i in ipairs(fresh) do
  redis.call('HSET', KEYS[2], ARGV[i], '0 0 0 0 ' .. ARGV[i + 2])
  redis.call('ZADD', KEYS[3], ARGV[i + 1], ARGV[i])
end
return version + 1
