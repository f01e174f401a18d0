-- Each request has a head that no other has: a query and two headers count on, one of them changes its length.
local number = 0

request = function()
  number = number + 1
  local headers = {
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    ["Accept"] = "text/html,application/json;q=0.9,*/*;q=0.8",
    ["X-Request-Id"] = string.format("%016x", number * 2654435761),
    ["X-Trace"] = string.rep("t", number % 23) .. number,
  }
  return wrk.format("GET", "/items/" .. number % 9973 .. "?page=" .. number, headers)
end
