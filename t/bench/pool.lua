-- wrk script: sends the requests of a pool made by t/bench/requests, one
-- after the other. Arguments: FILE LENGTH COUNT [RATE FIRST]; RATE: so many a
-- second and no more, from the request FIRST on.
local ffi = require("ffi")
ffi.cdef [[
int open(const char *path, int flags);
void *mmap(void *addr, size_t len, int prot, int flags, int fd, long off);
typedef struct { long s, us; } timeval_t;
int gettimeofday(timeval_t *t, void *zone);
]]

local base, len, count, at
local clock = ffi.new("timeval_t")
local gap, due -- ms

local function now()
   ffi.C.gettimeofday(clock, nil)
   return tonumber(clock.s) * 1e3 + tonumber(clock.us) / 1e3
end

function init(args)
   len, count, at = tonumber(args[2]), tonumber(args[3]), 0
   local fd = ffi.C.open(args[1], 0)
   local map = ffi.C.mmap(nil, len * count, 1, 2, fd, 0)
   if args[4] then
      gap = 1000 / tonumber(args[4])
      at = tonumber(args[5])
      -- of this thread only: as a global, wrk would call it for all
      function delay()
         local t = now()
         due = math.max((due or t) + gap, t - 1000)
         return math.max(0, math.floor(due - t))
      end
   end
   assert(fd >= 0 and ffi.cast("intptr_t", map) ~= -1, "cannot map the pool")
   base = ffi.cast("const char *", map)
end

function request()
   local p = base + at * len
   at = (at + 1) % count
   return ffi.string(p, len)
end

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "done.lua")
