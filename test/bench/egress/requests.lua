-- For wrk: every request for another path. Arguments: what its target starts with, Host, a seed.
local target

function init(args)
  target = args[1]
  wrk.headers["Host"] = args[2]
  math.randomseed(tonumber(args[3]))
end

function request()
  return wrk.format("GET", target .. math.random(1, 2147483646))
end

function done(summary)
  local errors = summary.errors
  local failed = errors.connect + errors.write + errors.status + errors.timeout
  io.write(string.format("result %d %d %d %d\n", summary.requests, summary.duration, failed, errors.read))
end
