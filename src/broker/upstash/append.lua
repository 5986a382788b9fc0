#!lua flags=allow-key-locking
-- Appends events to a log, one right behind the other.
-- KEYS: the log. ARGV: the id for the first event, log entries, seconds to live or 0, then the events.
-- An id that is no longer free means that somebody else has written: then Redis gives one.
-- Answers whether the first event took its id, and the ids; fewer than events if the log refused.
local first, cap, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local ids, has_first, calls = {}, 0, 0

local function append(id, event)
  calls = calls + 1
  return redis.pcall('XADD', KEYS[1], 'MAXLEN', cap, id, 'd', event)
end

for i = 4, #ARGV do
  local answer
  if i == 4 and first ~= '*' then
    answer = append(first, ARGV[i])
    if type(answer) == 'table' and answer.err then
      answer = append('*', ARGV[i])
    else
      has_first = 1
    end
  else
    answer = append('*', ARGV[i])
  end
  if type(answer) == 'table' and answer.err then
    if #ids == 0 then return answer end
    break
  end
  ids[#ids + 1] = answer
end
if ttl > 0 then
  calls = calls + 1
  redis.pcall('EXPIRE', KEYS[1], ttl)
end
return { has_first, calls, ids }
