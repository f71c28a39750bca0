-- Prosody for a helpdesk and its people: clients only, encrypted, with an archive.
log = { info = "*console" }
pidfile = "/tmp/prosody.pid"
data_path = "/var/lib/prosody"

s2s_ports = {}
http_ports = {}
https_ports = {}
c2s_direct_tls_ports = {}
-- One stanza is one small packet: Nagle's algorithm would hold it back until the one before
-- is acknowledged, which the other side does after 40 ms.
network_settings = { nagle = false }

modules_enabled = {
	"roster", "saslauth", "tls", "disco", "ping", "time", "version", "limits", "groups",
	"blocklist", "private", "vcard4", "vcard_legacy", "pep", "bookmarks",
	"mam", "carbons", "offline", "smacks", "csi_simple",
	"archive_readable", -- ours
}
plugin_paths = { "/etc/prosody/modules" }
modules_disabled = { "s2s" }

authentication = "internal_hashed"
-- The helpdesk asks the archive for what is new at every message. Prosody's own files are
-- read from one end to the other for that; SQLite, which needs its Lua module, is not.
local sqlite = pcall(require, "lsqlite3") or pcall(require, "dbd.sqlite3")
if not sqlite then print("no SQLite module for Lua: chats get slower the longer the archive is") end
storage = sqlite and { archive = "sql" } or "internal"
sqlite_tune = "normal" -- Prosody 13: write ahead; without it SQLite waits for the disk several times per message
mam_include_total = false -- counting is work, and nobody asks
groups_file = "/etc/prosody/groups.txt"

c2s_require_encryption = true
ssl = { key = "/run/secrets/xmpp_key", certificate = "/run/secrets/xmpp_certificate" }

-- The helpdesk reads what people write from its archive: four weeks is how long it may
-- be away without missing anything.
default_archive_policy = true
archive_expires_after = "4w"
smacks_hibernation_time = 10
c2s_stanza_size_limit = 65536
limits = { c2s = { rate = "1mb/s", burst = "2s" } }

VirtualHost(ENV_XMPP_DOMAIN) -- the variable XMPP_DOMAIN
