-- Posts the same notification over and over; its last line says as JSON how that went.
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("HERALD_API_KEY")
wrk.headers["Content-Type"] = "application/json"
wrk.body = os.getenv("NOTIFICATION")

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"refused":%d,"broken":%d,"microseconds":%d,"p50":%d,"p99":%d}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99)))
end
