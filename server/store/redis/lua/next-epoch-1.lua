-- Hands out a producer's next epoch.
-- Atomic: two daemons that greet the same producer at once must not be given the same number.
-- KEYS[1] string  {producer}:epoch   the last epoch handed out
-- ARGV    floor (the new epoch is above it), milliseconds to keep the key
-- Returns the epoch.

local floor, keep_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
if not floor or not keep_ms then error('next-epoch: arguments are not numbers') end
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
if not last then error('next-epoch: the stored epoch is damaged') end
local epoch = string.format('%.0f', math.max(last, floor) + 1)
redis.call('SET', KEYS[1], epoch, 'PX', ARGV[2])
return epoch
