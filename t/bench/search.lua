-- wrk script: GETs a path with each line of a file after it, over and over.
-- Arguments: TOKEN PATH FILE.
local paths, at = {}, 0

function init(args)
   wrk.headers["Authorization"] = "Bearer " .. args[1]
   for line in io.lines(args[3]) do
      paths[#paths + 1] = wrk.format("GET", args[2] .. line)
   end
end

function request()
   at = at % #paths + 1
   return paths[at]
end

function done(summary, latency)
   local e = summary.errors
   io.write(string.format(
      "wrk requests=%d us=%d p50=%d p99=%d errors=%d bad=%d\n",
      summary.requests, summary.duration, latency:percentile(50),
      latency:percentile(99), e.connect + e.read + e.write + e.timeout,
      e.status))
end
