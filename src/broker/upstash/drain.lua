#!lua flags=allow-key-locking
-- Moves what producers have pushed into the replay logs, in order and at once.
-- KEYS: n inboxes, then the n logs, the n dead-letter lists and the n quarantines of the same channels.
-- ARGV: inbox to begin with (1..n), most events, most bytes, largest event, log entries, seconds to
-- live, and for each log 1 if it is to be told how long to live, else 0.
-- Answers counts only: moved, dead, quarantined, refused by the log, whether more may wait, calls
-- made, which are billed; then the places of the logs that were told how long to live.
local n = #KEYS / 4
local first = tonumber(ARGV[1])
local events_left, bytes_left = tonumber(ARGV[2]), tonumber(ARGV[3])
local largest, cap, ttl, due = tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7]
local moved, dead, quarantined, refused, calls = 0, 0, 0, 0, 0
local place = {}
for i = 1, n do place[KEYS[i]] = i end

local function call(...)
  calls = calls + 1
  return redis.pcall(...)
end

local function bury(i, item)
  dead = dead + 1
  local list = KEYS[2 * n + i]
  call('RPUSH', list, string.sub(item, 1, 1024))
  call('LTRIM', list, -100, -1)
  call('EXPIRE', list, ttl)
end

local function is_event(item)
  if #item > largest or not string.find(item, '^%s*{') then return false end
  local ok, value = pcall(cjson.decode, item)
  return ok and type(value) == 'table'
end

-- What the log does not take goes back where it was, in order.
local function put_back(i, items, from)
  local again = {}
  for k = #items, from, -1 do again[#again + 1] = items[k] end
  call('LPUSH', KEYS[i], unpack(again))
  refused = refused + #again
end

local function append(i, items)
  local log, appended = KEYS[n + i], 0
  for k, item in ipairs(items) do
    if is_event(item) then
      local answer = call('XADD', log, 'MAXLEN', cap, '*', 'd', item)
      if type(answer) == 'table' and answer.err then
        put_back(i, items, k)
        return false, appended
      end
      appended = appended + 1
      bytes_left = bytes_left - #item
    else
      bury(i, item)
    end
    events_left = events_left - 1
  end
  return true, appended
end

-- A key that is no list must not stop the others; nothing of it is lost.
local function quarantine(from, to)
  local found = false
  for i = from, to do
    local kind = call('TYPE', KEYS[i])
    if type(kind) == 'table' and kind.ok ~= 'list' and kind.ok ~= 'none' then
      local answer = call('RENAME', KEYS[i], KEYS[3 * n + i])
      if type(answer) == 'table' and answer.err then return false end
      call('EXPIRE', KEYS[3 * n + i], ttl)
      quarantined = quarantined + 1
      found = true
    end
  end
  return found
end

local touched = {}
local function drain(from, to)
  while from <= to and events_left > 0 and bytes_left >= largest do
    local pop = { 'LMPOP', to - from + 1 }
    for i = from, to do pop[#pop + 1] = KEYS[i] end
    pop[#pop + 1] = 'LEFT'
    pop[#pop + 1] = 'COUNT'
    -- Few at a time, so that a run stays near its bytes.
    local most = math.max(1, math.min(events_left, 64, math.floor(bytes_left / largest)))
    pop[#pop + 1] = most
    local popped = call(unpack(pop))
    if type(popped) == 'table' and popped.err then
      if not quarantine(from, to) then return end
    elseif not popped then
      return
    else
      local i = place[popped[1]]
      local ok, appended = append(i, popped[2])
      moved = moved + appended
      if appended > 0 then touched[i] = true end
      -- Fewer than asked for: this inbox is empty now.
      from = ok and #popped[2] == most and i or i + 1
    end
  end
end

drain(first, n)
drain(1, first - 1)
local told = {}
for i in pairs(touched) do
  if string.sub(due, i, i) == '1' then
    call('EXPIRE', KEYS[n + i], ttl)
    told[#told + 1] = i
  end
end
local more = (events_left <= 0 or bytes_left < largest) and 1 or 0
return { moved, dead, quarantined, refused, more, calls, told }
