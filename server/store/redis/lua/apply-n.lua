-- Adds a group of batches to one service's books, exactly once.
-- Atomic: the cursors that decide whether the batches are new and the counters they add to must be the same
-- books. Redis does not roll a failed script back, so everything is read and checked before the first write.
--
-- KEYS[1]  hash    {service}:cursors        producer -> "epoch seq day digest"
-- KEYS[2]  hash    {service}:revisions      page -> times it was written
-- KEYS[3]  string  {service}:page:<n>       P keys; 10,044 bytes each, see facts.ts
-- KEYS[..] string  {service}:callbacks:<n>  Q keys; 5,760 bytes each, only of pages that have callbacks
-- KEYS[..] hash    {service}:origins:<h>    H keys; packed origin -> count
--
-- ARGV, all integers in decimal unless marked text:
--   today (UTC day), oldest page kept, oldest day kept,
--   C, P, Q, H                                    cursors <= 1000, P + Q + H keys
--   fields per hour, of these kept for folded ones
--   the cursors (text), C times: "<bytes of producer> <epoch> <expected seq> <seq> <bytes of digest>:" and then
--            producer and digest as they are
--   P times: page, milliseconds left, A, B,
--            A times: counter index, n            index 0..2399 or 2415..2510
--            B times: minute of the page alive    0..479
--   Q times: page, milliseconds left, A,
--            A times: counter index, n            index 0..1439
--   H times: milliseconds left, F,
--            F times: field (text), folded field (text), n
--
-- Returns {"applied", counters at their ceiling}
--      or {"fenced", producer...}                 these have a newer epoch; nothing was written
--      or {"moved", producer, seq, digest, ...}   these are elsewhere than expected; nothing was written

local PAGE_BYTES = 10044
local CALLBACK_BYTES = 5760
local COUNTER_MAX = 4294967295
local CHUNK = 500 -- operations per command: Lua cannot unpack more than some 8,000 values

local at = 0
local function text()
  at = at + 1
  return ARGV[at] or error('apply: too few arguments')
end
local function count(max)
  local raw = text()
  local n = string.find(raw, '^%d+$') and tonumber(raw)
  if not n or n > max then error('apply: argument ' .. at .. ' is not a count') end
  return n, raw
end
local SAFE = 9007199254740991

local _, today = count(SAFE)
local oldest_page = count(SAFE)
local oldest_day = count(SAFE)
local cursors = count(1000)
local pages = count(#KEYS)
local callbacks = count(#KEYS)
local hours = count(#KEYS)
if #KEYS ~= 2 + pages + callbacks + hours then error('apply: KEYS do not match the counts') end
local fields_max = count(100000)
local unfolded_max = fields_max - count(fields_max)

-- Where do the producers stand?
local producers, epochs, expected, moves = {}, {}, {}, {}
local packed, from = text(), 1
for i = 1, cursors do
  local _, last, producer_bytes, epoch, expected_seq, seq, digest_bytes =
    string.find(packed, '^(%d+) (%d+) (%d+) (%d+) (%d+):', from)
  if not last or tonumber(epoch) > SAFE or tonumber(expected_seq) > SAFE or tonumber(seq) > SAFE then
    error('apply: cursor ' .. i .. ' cannot be read')
  end
  local digest_from = last + 1 + tonumber(producer_bytes)
  from = digest_from + tonumber(digest_bytes)
  if from > #packed + 1 then error('apply: cursor ' .. i .. ' is cut off') end
  producers[i] = string.sub(packed, last + 1, digest_from - 1)
  epochs[i] = tonumber(epoch)
  expected[i] = tonumber(expected_seq)
  moves[#moves + 1] = producers[i]
  moves[#moves + 1] = epoch .. ' ' .. seq .. ' ' .. today .. ' ' .. string.sub(packed, digest_from, from - 1)
end
if from ~= #packed + 1 then error('apply: more cursors than were told') end
local fenced, moved = { 'fenced' }, { 'moved' }
for i, stored in ipairs(redis.call('HMGET', KEYS[1], unpack(producers))) do
  local epoch, seq, digest = '0', '0', ''
  if stored then
    epoch, seq, digest = string.match(stored, '^(%d+) (%d+) %d+ (.*)$')
    if not epoch then error('apply: a stored cursor is damaged') end
  end
  if tonumber(epoch) > epochs[i] then
    fenced[#fenced + 1] = producers[i]
  elseif tonumber(seq) ~= expected[i] then
    moved[#moved + 1] = producers[i]
    moved[#moved + 1] = seq
    moved[#moved + 1] = digest
  end
end
if #fenced > 1 then return fenced end
if #moved > 1 then return moved end

-- What is to be written, and can it be?
redis.call('HLEN', KEYS[2])
local page_gains = {}
local function page_gain(p, length)
  local key = KEYS[2 + p]
  local _, page = count(SAFE)
  local _, left_ms = count(SAFE)
  local gain = { key = key, page = page, left_ms = left_ms, length = length, bytes = redis.call('STRLEN', key) }
  if gain.bytes ~= 0 and gain.bytes ~= length then error('apply: a stored page is damaged') end
  page_gains[p] = gain
  return gain
end
for p = 1, pages do
  local gain = page_gain(p, PAGE_BYTES)
  local counters, alive = count(SAFE), count(SAFE)
  for _ = 1, counters do
    local index, index_raw = count(2510)
    if index >= 2400 and index < 2415 then error('apply: not a counter') end
    local _, n_raw = count(SAFE)
    gain[#gain + 1] = { 'INCRBY', 'u32', '#' .. index_raw, n_raw }
  end
  for _ = 1, alive do
    gain[#gain + 1] = { 'SET', 'u1', 76800 + count(479), '1' }
  end
end
for p = pages + 1, pages + callbacks do
  local gain = page_gain(p, CALLBACK_BYTES)
  for _ = 1, count(SAFE) do
    local _, index_raw = count(1439)
    local _, n_raw = count(SAFE)
    gain[#gain + 1] = { 'INCRBY', 'u32', '#' .. index_raw, n_raw }
  end
end
local hour_gains = {}
for h = 1, hours do
  local key = KEYS[2 + pages + callbacks + h]
  local _, left_ms = count(SAFE)
  local gain = { key = key, left_ms = left_ms, fields = redis.call('HLEN', key) }
  for f = 1, count(SAFE) do
    local field, folded = text(), text()
    local _, n_raw = count(COUNTER_MAX)
    gain[f] = { field, folded, n_raw }
  end
  hour_gains[h] = gain
end
if at ~= #ARGV then error('apply: too many arguments') end

-- From here on nothing can fail.
redis.call('HSET', KEYS[1], unpack(moves))
local saturated, created = 0, false
for _, gain in ipairs(page_gains) do
  if gain.bytes == 0 then
    -- At its full length from the start: growing it would leave it over-allocated for good.
    redis.call('SETRANGE', gain.key, gain.length - 1, '\0')
    redis.call('PEXPIRE', gain.key, gain.left_ms)
    created = true
  end
  for first = 1, #gain, CHUNK do
    local command = { 'BITFIELD', gain.key, 'OVERFLOW', 'SAT' }
    for i = first, math.min(first + CHUNK - 1, #gain) do
      for _, word in ipairs(gain[i]) do command[#command + 1] = word end
    end
    for _, after in ipairs(redis.call(unpack(command))) do
      if after == COUNTER_MAX then saturated = saturated + 1 end
    end
  end
  redis.call('HINCRBY', KEYS[2], gain.page, 1)
end
for _, gain in ipairs(hour_gains) do
  local fields = gain.fields
  for _, add in ipairs(gain) do
    local field = add[1]
    if redis.call('HEXISTS', gain.key, field) == 0 then
      if fields >= unfolded_max then field = add[2] end
      if fields < unfolded_max or redis.call('HEXISTS', gain.key, field) == 0 then fields = fields + 1 end
    end
    redis.call('HINCRBY', gain.key, field, add[3])
  end
  if gain.fields == 0 then redis.call('PEXPIRE', gain.key, gain.left_ms) end
end

-- Three times a day, with a new page, what nobody will ask for again is dropped.
if created then
  for _, page in ipairs(redis.call('HKEYS', KEYS[2])) do
    if tonumber(page) < oldest_page then redis.call('HDEL', KEYS[2], page) end
  end
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local day = tonumber(string.match(all[i + 1], '^%d+ %d+ (%d+) '))
    if day and day < oldest_day then redis.call('HDEL', KEYS[1], all[i]) end
  end
end
return { 'applied', saturated }
