-- Leases due messages of a service, oldest first, each under a new fencing token.
-- Atomic: of two daemons that look at once only one may take a message.
--
-- KEYS[1] hash  {service}:ledger    token (last fencing token)
-- KEYS[2] hash  {service}:outbox    id -> "due lease-until token attempts json"; times in epoch milliseconds
-- KEYS[3] zset  {service}:order     id by creation time
-- ARGV    now, lease until (epoch milliseconds), limit
-- Returns for each message taken: json, attempts before this claim, token.

local now, limit = tonumber(ARGV[1]), tonumber(ARGV[3])
if not now or not tonumber(ARGV[2]) or not limit then error('claim: arguments are not numbers') end
local taken = {}
if limit < 1 then return taken end
local token = tonumber(redis.call('HGET', KEYS[1], 'token') or '0')
for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  local stored = redis.call('HGET', KEYS[2], id)
  local due, lease, _, attempts, json = string.match(stored or '', '^(%S+) (%S+) (%d+) (%d+) (.*)$')
  if not due then error('claim: a stored message is damaged') end
  if tonumber(due) <= now and tonumber(lease) <= now then
    token = token + 1
    local token_raw = string.format('%.0f', token)
    local after = string.format('%.0f', tonumber(attempts) + 1)
    redis.call('HSET', KEYS[2], id, due .. ' ' .. ARGV[2] .. ' ' .. token_raw .. ' ' .. after .. ' ' .. json)
    taken[#taken + 1] = json
    taken[#taken + 1] = attempts
    taken[#taken + 1] = token_raw
    if #taken == limit * 3 then break end
  end
end
if #taken > 0 then redis.call('HSET', KEYS[1], 'token', string.format('%.0f', token)) end
return taken
