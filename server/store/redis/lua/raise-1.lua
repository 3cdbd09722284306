-- Raises a producer's epoch in one service, which fences every older one; it is never lowered.
-- Atomic: between reading the cursor and writing it back a batch could be applied, and its seq would be lost.
-- KEYS[1] hash  {service}:cursors   producer -> "epoch seq day digest"
-- ARGV    producer (text), epoch (0 only reads), today (UTC day)
-- Returns {epoch after the call, seq, digest}; seq 0 and digest '' for a producer not seen before.

local producer, epoch = ARGV[1], tonumber(ARGV[2])
if not producer or not epoch or not tonumber(ARGV[3]) then error('raise: arguments are missing') end
local stored_epoch, seq, digest = '0', '0', ''
local stored = redis.call('HGET', KEYS[1], producer)
if stored then
  stored_epoch, seq, digest = string.match(stored, '^(%d+) (%d+) %d+ (.*)$')
  if not stored_epoch then error('raise: a stored cursor is damaged') end
end
if tonumber(stored_epoch) < epoch then
  stored_epoch = ARGV[2]
  redis.call('HSET', KEYS[1], producer, ARGV[2] .. ' ' .. seq .. ' ' .. ARGV[3] .. ' ' .. digest)
end
return { stored_epoch, seq, digest }
