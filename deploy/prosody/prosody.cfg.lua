-- Prosody for a helpdesk and its people: clients only, encrypted, with an archive.
log = { info = "*console" }
pidfile = "/tmp/prosody.pid"
data_path = "/var/lib/prosody"

s2s_ports = {}
http_ports = {}
https_ports = {}
c2s_direct_tls_ports = {}

modules_enabled = {
	"roster", "saslauth", "tls", "disco", "ping", "time", "version", "limits", "groups",
	"blocklist", "private", "vcard4", "vcard_legacy", "pep", "bookmarks",
	"mam", "carbons", "offline", "smacks", "csi_simple",
}
modules_disabled = { "s2s" }

authentication = "internal_hashed"
storage = "internal"
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
