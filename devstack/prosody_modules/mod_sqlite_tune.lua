-- What Prosody 13 calls sqlite_tune = "normal", for Prosody 0.12: the archive's database
-- writes ahead and waits for the disk at checkpoints, not several times per message.
-- A killed process loses nothing; a power cut may lose the last moments.
module:depends("mam") -- which opens the archive

local function tune(engine)
	engine.conn:autocommit(true) -- synchronous is fixed inside a transaction
	for _, pragma in ipairs { "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL" } do
		local statement = assert(engine.conn:prepare(pragma))
		assert(statement:execute())
		statement:close()
	end
	engine.conn:autocommit(false)
end

for _, engine in pairs(module:shared("/*/sql/connections")) do
	if engine.params.driver == "SQLite3" and not engine.tuned then
		engine.tuned = true
		local onconnect = engine.onconnect
		function engine:onconnect()
			tune(self)
			return onconnect(self)
		end
		engine.conn = nil -- if there is one already, it goes untuned
		assert(engine:connect())
	end
end
