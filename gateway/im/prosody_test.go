package im

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func startProsody(t testing.TB) *server {
	t.Helper()
	return startProsodyWith(t, "sqlite_tune", "archive_readable") // the first brings the archive
}

// startProsodyWith starts one with more modules.
func startProsodyWith(t testing.TB, more ...string) *server {
	t.Helper()
	_, err := exec.LookPath("prosody")
	needs(t, err == nil, "Prosody", "prosody")
	p := newServer(t)
	p.writeAccounts()
	_, port, _ := net.SplitHostPort(p.addr)
	rooms := "time"
	if slices.Contains(more, "sqlite_tune") {
		rooms, p.archive = "muc_mam", "muc#roomconfig_enablearchiving"
	}
	modules, err := filepath.Abs("../../devstack/prosody_modules")
	if err != nil {
		t.Fatal(err)
	}
	p.file("prosody.cfg.lua", fmt.Sprintf(`
run_as_root = true
pidfile = %[1]q .. "/prosody.pid"
data_path = %[1]q .. "/data"
certificates = %[1]q
interfaces = { "127.0.0.1" }
c2s_ports = { %[2]s }; c2s_direct_tls_ports = {}; s2s_ports = {}; http_ports = {}; https_ports = {}
modules_disabled = { "s2s" }
c2s_require_encryption = true
authentication = "internal_plain"
storage = pcall(require, "dbd.sqlite3") and { archive = "sql" } or "internal"
mam_include_total = false
network_settings = { nagle = false }
plugin_paths = { %[4]q }
archive_expires_after = "1w"
c2s_stanza_size_limit = 262144
log = { warn = %[1]q .. "/prosody.log" }
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "carbons", "offline", "pep", "vcard_legacy", "%[5]s" }
VirtualHost "%[3]s"
	ssl = { key = %[1]q .. "/key.pem", certificate = %[1]q .. "/cert.pem" }
Component "rooms.%[3]s" "muc"
	modules_enabled = { %[6]q }
`, p.dir, port, host, modules, strings.Join(more, `", "`), rooms))
	p.command = func() *exec.Cmd {
		return exec.Command("prosody", "-F", "--config", filepath.Join(p.dir, "prosody.cfg.lua"))
	}
	p.start()
	t.Cleanup(p.kill)
	return p
}

// writeAccounts writes the files in which Prosody keeps users and rosters.
func (p *server) writeAccounts() {
	for user, contacts := range users {
		roster := ""
		for _, c := range contacts {
			roster += fmt.Sprintf("[%q] = { subscription = \"both\", groups = {} };", c+"@"+host)
		}
		p.file("data/helpdesk%2etest/accounts/"+user+".dat", fmt.Sprintf("return { password = %q };", password))
		p.file("data/helpdesk%2etest/roster/"+user+".dat", "return { [false] = { version = 1 };"+roster+"};")
	}
}
