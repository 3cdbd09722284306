-- Appends an entry to a topic's journal.
-- Atomic: a call whose reply was lost is sent again by the client, so an entry whose nonce is among the last
-- ones is not appended a second time; the look and the push must see the same list.
-- KEYS[1] list  journal:{topic}   "nonce json", oldest first
-- ARGV    nonce (text without spaces), json (text)
-- Returns the entry's number, from 1.

local LOOK_BACK = 64
if not ARGV[1] or not ARGV[2] then error('append: arguments are missing') end
local length = redis.call('LLEN', KEYS[1])
local recent = redis.call('LRANGE', KEYS[1], -LOOK_BACK, -1)
for i = #recent, 1, -1 do
  if string.match(recent[i], '^(%S+) ') == ARGV[1] then return length - #recent + i end
end
return redis.call('RPUSH', KEYS[1], ARGV[1] .. ' ' .. ARGV[2])
