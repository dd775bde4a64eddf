-- wrk script: GETs with the header Authorization of its argument.
local token

function init(args)
   token = args[1]
   if token then
      wrk.headers["Authorization"] = "Bearer " .. token
   end
end

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "done.lua")
