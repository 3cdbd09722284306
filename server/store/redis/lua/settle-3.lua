-- Records what became of a leased message: done, or to be tried again.
-- Atomic: the token is checked and the message changed in one step, so that a daemon whose lease ran out cannot
-- overrule the one that took over. Repeating the call answers the same.
--
-- KEYS[1] hash  {service}:outbox    id -> "due lease-until token attempts json"; times in epoch milliseconds
-- KEYS[2] zset  {service}:order     id by creation time
-- KEYS[3] zset  {service}:settled   id by the token under which it was settled; the last ARGV[4]
-- ARGV    id (text), token, due at (epoch milliseconds) or '' for done, settled ids to remember
-- Returns 1, or 0 when the token is not the message's.

local id, token, remember = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[4])
if not id or not token or not remember then error('settle: arguments are missing') end
if ARGV[3] ~= '' and not tonumber(ARGV[3]) then error('settle: the due time is not a number') end
local stored = redis.call('HGET', KEYS[1], id)
if not stored then
  local settled = redis.call('ZSCORE', KEYS[3], id)
  if settled and ARGV[3] == '' and tonumber(settled) == token then return 1 end
  return 0
end
local held, attempts, json = string.match(stored, '^%S+ %S+ (%d+) (%d+) (.*)$')
if not held then error('settle: a stored message is damaged') end
if tonumber(held) ~= token or token == 0 then return 0 end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
  redis.call('ZADD', KEYS[3], ARGV[2], id)
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -(remember + 1))
else
  redis.call('HSET', KEYS[1], id, ARGV[3] .. ' 0 ' .. held .. ' ' .. attempts .. ' ' .. json)
end
return 1
