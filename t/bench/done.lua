-- What wrk is to say at the end, for all scripts here: a line for Wacrm::Bench.
function done(summary, latency)
   local e = summary.errors
   io.write(string.format(
      "wrk requests=%d us=%d p50=%d p99=%d errors=%d bad=%d\n",
      summary.requests, summary.duration, latency:percentile(50),
      latency:percentile(99), e.connect + e.read + e.write + e.timeout,
      e.status))
end
