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

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "done.lua")
