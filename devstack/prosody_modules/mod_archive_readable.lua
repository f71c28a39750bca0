-- Prosody's SQL storage writes an attribute such as xml:foo with a prefix bound to XML's own
-- name space, and cannot parse that again (seen in 0.12.3): one such message, from anybody,
-- and no page of the archive that holds it is ever answered. No protocol has such an
-- attribute, so they are removed before the archive sees them.
local function clean(stanza)
	for name in pairs(stanza.attr) do
		if name:find("http://www.w3.org/XML/1998/namespace\1", 1, true) == 1 then
			stanza.attr[name] = nil
		end
	end
	for _, child in ipairs(stanza.tags) do
		clean(child)
	end
end

for _, event in ipairs { "pre-message/full", "pre-message/bare", "pre-message/host", "message/full", "message/bare" } do
	module:hook(event, function(received) clean(received.stanza) end, 1000)
end
