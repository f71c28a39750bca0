package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const hidden = "hunter2!"

// complete is an environment with which every role starts.
func complete() map[string]string {
	return map[string]string{
		"DATABASE_URL":            "postgres://deskbell:hunter2!@localhost:5432/deskbell",
		"DESKBELL_SMPP_ADDR":      "smsc.example.org:2775",
		"DESKBELL_SMPP_SYSTEM_ID": "desk",
		"DESKBELL_SMPP_PASSWORD":  hidden,
		"DESKBELL_SMPP_SOURCE":    "+4930100",
		"DESKBELL_XMPP_ADDR":      "[::1]:5222",
		"DESKBELL_XMPP_JID":       "helpdesk@example.org",
		"DESKBELL_XMPP_PASSWORD":  hidden,
		"DESKBELL_TOKEN_KEY":      strings.Repeat(hidden, 4),

		"DESKBELL_OIDC_CLIENT_ID": "desk", "DESKBELL_OIDC_CLIENT_SECRET": hidden,
	}
}

func loadFrom(env map[string]string, roles ...string) (Config, error) {
	return Load(func(name string) string { return env[name] }, roles)
}

// plain makes a Config comparable and its secrets visible to a test.
func plain(c Config) map[string]any {
	out := map[string]any{
		"database": c.Database.Reveal(), "temporal": c.TemporalAddress, "namespace": c.TemporalNamespace,
		"http": c.HTTPAddr, "public": c.PublicURL, "ui": c.TemporalUIURL,
		"xmpp":   []string{c.XMPP.Addr, c.XMPP.JID, c.XMPP.Password.Reveal(), c.XMPP.CAFile, c.XMPP.Room},
		"policy": c.PolicyFile, "people": c.PeopleFile, "key": c.TokenKey.Reveal(),
		"keep": c.Keep.Hours(), "open": c.OpenBoard, "proxies": c.TrustedProxies, "hooks": c.WebhookNetworks, "files": c.FilesDir, "scan": c.ScanCommand,
		"oidc": strings.Join([]string{c.OIDC.Issuer, c.OIDC.ClientID, c.OIDC.ClientSecret.Reveal(), c.OIDC.Claim}, "|"),
	}
	for i, s := range c.SMSCs {
		out[fmt.Sprint("smsc", i)] = fmt.Sprint(s.Addr, " ", s.SystemID, " ", s.Password.Reveal(), " ", s.Source, " ", s.TLS, " ", s.StampTag)
		out[fmt.Sprint("terms", i)] = fmt.Sprintf("%s|%t|%t|%t|%g|%d|%s|%s|%s", s.Network, s.Separate, s.Latin1, s.IA5AsGSM, s.Rate, s.Window, s.Prefixes, s.Region, s.ReceiptIDs)
	}
	return out
}

func TestLoadComplete(t *testing.T) {
	t.Parallel()
	c, err := loadFrom(complete(), Roles()...)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"database": "postgres://deskbell:hunter2!@localhost:5432/deskbell", "temporal": "", "namespace": "",
		"http": ":8080", "public": "http://localhost:8080", "ui": "",
		"xmpp":   []string{"[::1]:5222", "helpdesk@example.org", hidden, "", ""},
		"policy": "", "people": "", "key": strings.Repeat(hidden, 4),
		"keep": 9600., "open": false, "proxies": []netip.Prefix(nil), "hooks": []netip.Prefix(nil), "files": "", "scan": []string(nil), "oidc": "|desk|hunter2!|preferred_username",
		"smsc0": "smsc.example.org:2775 desk hunter2! +4930100 false 0", "terms0": "|false|false|false|0|10|[]|DE|",
	}
	if diff := cmp.Diff(want, plain(c)); diff != "" {
		t.Error(diff)
	}
}

// Every optional variable does what it names.
func TestLoadOptions(t *testing.T) {
	t.Parallel()
	pem := filepath.Join("testdata", "ca.pem")
	tests := map[string]struct{ value, key, want string }{
		"TEMPORAL_ADDRESS":          {"temporal:7233", "temporal", "temporal:7233"},
		"TEMPORAL_NAMESPACE":        {"desk", "namespace", "desk"},
		"DESKBELL_HTTP_ADDR":        {"127.0.0.1:9000", "public", "http://localhost:9000"},
		"DESKBELL_PUBLIC_URL":       {"https://desk.example.org/it/", "public", "https://desk.example.org/it"},
		"DESKBELL_TEMPORAL_UI_URL":  {"http://localhost:8233/", "ui", "http://localhost:8233"},
		"DESKBELL_SMPP_TLS":         {"true", "smsc0", "smsc.example.org:2775 desk hunter2! +4930100 true 0"},
		"DESKBELL_SMPP_STAMP_TAG":   {"0x1401", "smsc0", "smsc.example.org:2775 desk hunter2! +4930100 false 5121"},
		"DESKBELL_SMPP_NETWORK":     {"carrier", "terms0", "carrier|false|false|false|0|10|[]|DE|"},
		"DESKBELL_SMPP_BIND":        {"separate", "terms0", "|true|false|false|0|10|[]|DE|"},
		"DESKBELL_SMPP_ALPHABET":    {"latin1", "terms0", "|false|true|false|0|10|[]|DE|"},
		"DESKBELL_SMPP_IA5":         {"gsm", "terms0", "|false|false|true|0|10|[]|DE|"},
		"DESKBELL_SMPP_RATE":        {"0.5", "terms0", "|false|false|false|0.5|10|[]|DE|"},
		"DESKBELL_SMPP_WINDOW":      {"50", "terms0", "|false|false|false|0|50|[]|DE|"},
		"DESKBELL_SMPP_PREFIXES":    {"+49, +", "terms0", "|false|false|false|0|10|[+49 +]|DE|"},
		"DESKBELL_SMPP_REGION":      {"AT", "terms0", "|false|false|false|0|10|[]|AT|"},
		"DESKBELL_SMPP_RECEIPT_IDS": {"hex", "terms0", "|false|false|false|0|10|[]|DE|hex"},
		"DESKBELL_XMPP_CA_FILE":     {pem, "xmpp", "[[::1]:5222 helpdesk@example.org hunter2! " + pem + " ]"},
		"DESKBELL_XMPP_ROOM":        {"desk@rooms.example.org", "xmpp", "[[::1]:5222 helpdesk@example.org hunter2!  desk@rooms.example.org]"},
		"DESKBELL_POLICY_FILE":      {"policy.yaml", "policy", "policy.yaml"},
		"DESKBELL_PEOPLE_FILE":      {"people.yaml", "people", "people.yaml"},
		"DESKBELL_KEEP_DAYS":        {"0", "keep", "0"},
		"DESKBELL_OPEN_BOARD":       {"true", "open", "true"},
		"DESKBELL_TRUSTED_PROXIES":  {"10.0.0.0/8, fd00::/8", "proxies", "[10.0.0.0/8 fd00::/8]"},

		"DESKBELL_FILES_DIR":          {"testdata", "files", "testdata"},
		"DESKBELL_SCAN_COMMAND":       {"clamdscan --fdpass", "scan", "[clamdscan --fdpass]"},
		"DESKBELL_WEBHOOK_NETWORKS":   {"10.0.0.0/8", "hooks", "[10.0.0.0/8]"},
		"DESKBELL_OIDC_ISSUER":        {"https://id.example.org/", "oidc", "https://id.example.org/|desk|hunter2!|preferred_username"},
		"DESKBELL_OIDC_CLIENT_ID":     {"bell", "oidc", "|bell|hunter2!|preferred_username"},
		"DESKBELL_OIDC_CLIENT_SECRET": {"other", "oidc", "|desk|other|preferred_username"},
		"DESKBELL_OIDC_CLAIM":         {"sub", "oidc", "|desk|hunter2!|sub"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := complete()
			env[name] = tt.value
			c, err := loadFrom(env, Roles()...)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(plain(c)[tt.key]); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	for _, v := range Known() {
		if _, tested := tests[v.Name]; !tested && !v.Required {
			t.Errorf("%s has no test", v.Name)
		}
	}
}

// What is missing is named, in a line of its own, and only to the roles that
// need it.
func TestLoadMissing(t *testing.T) {
	t.Parallel()
	for _, v := range Known() {
		for _, role := range append(Roles(), "") {
			t.Run(v.Name+" "+role, func(t *testing.T) {
				t.Parallel()
				env := complete()
				delete(env, v.Name)
				var roles []string
				if role != "" {
					roles = []string{role}
				}
				_, err := loadFrom(env, roles...)
				wanted := v.Required && (len(v.Roles) == 0 || v.Roles[0] == role)
				if !wanted {
					if err != nil {
						t.Fatalf("role %q: %v", role, err)
					}
					return
				}
				if err == nil || err.Error() != v.Name+": is missing: "+v.Help {
					t.Fatalf("got %v", err)
				}
			})
		}
	}
	_, err := loadFrom(nil, Roles()...)
	if lines := strings.Split(fmt.Sprint(err), "\n"); len(lines) != 9 {
		t.Errorf("want the nine required ones, one per line:\n%v", err)
	}
}

func TestLoadMalformed(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, value, want string }{
		{"DATABASE_URL", "mysql://hunter2!@db", "DATABASE_URL: write it as postgres://"},
		{"DATABASE_URL", "postgres://u:hunter2!%zz@db", "DATABASE_URL: write it as postgres://"},
		{"DESKBELL_HTTP_ADDR", "8080", `DESKBELL_HTTP_ADDR: "8080": write it as host:port`},
		{"DESKBELL_HTTP_ADDR", ":99999", `DESKBELL_HTTP_ADDR: ":99999": write it as host:port`},
		{"DESKBELL_PUBLIC_URL", "desk.example.org", `DESKBELL_PUBLIC_URL: "desk.example.org": write it as https://`},
		{"DESKBELL_PUBLIC_URL", "https://desk.example.org?x=1", "DESKBELL_PUBLIC_URL: "},
		{"DESKBELL_TEMPORAL_UI_URL", "ftp://x", "DESKBELL_TEMPORAL_UI_URL: "},
		{"DESKBELL_SMPP_ADDR", ":2775", `DESKBELL_SMPP_ADDR: ":2775": the host is missing`},
		{"DESKBELL_SMPP_ADDR", "smsc", `DESKBELL_SMPP_ADDR: "smsc": write it as host:port`},
		{"DESKBELL_SMPP_SYSTEM_ID", "a-much-too-long-system-id", "DESKBELL_SMPP_SYSTEM_ID: use at most 15"},
		{"DESKBELL_SMPP_PASSWORD", "hunter2!hunter2!", "DESKBELL_SMPP_PASSWORD: use at most 8"},
		{"DESKBELL_SMPP_SOURCE", "Helpdesk", `DESKBELL_SMPP_SOURCE: "Helpdesk": use a number`},
		{"DESKBELL_SMPP_TLS", "perhaps", `DESKBELL_SMPP_TLS: "perhaps": use true or false`},
		{"DESKBELL_SMPP_STAMP_TAG", "0x14011", `DESKBELL_SMPP_STAMP_TAG: "0x14011": use a tag number`},
		{"DESKBELL_SMPP_BIND", "both", `DESKBELL_SMPP_BIND: "both": use transceiver or separate`},
		{"DESKBELL_SMPP_RATE", "0", `DESKBELL_SMPP_RATE: "0": use segments per second`},
		{"DESKBELL_SMPP_RATE", "NaN", `DESKBELL_SMPP_RATE: "NaN": use segments per second`},
		{"DESKBELL_SMPP_WINDOW", "0", `DESKBELL_SMPP_WINDOW: "0": use a number of messages`},
		{"DESKBELL_SMPP_PREFIXES", "49", `DESKBELL_SMPP_PREFIXES: "49": use the beginnings`},
		{"DESKBELL_SMPP_REGION", "Germany", `DESKBELL_SMPP_REGION: "Germany": use two capital letters`},
		{"DESKBELL_XMPP_JID", "Helpdesk@example.org", `DESKBELL_XMPP_JID: "Helpdesk@example.org": write it in lower case`},
		{"DESKBELL_XMPP_JID", "helpdesk@example.org/bot", "DESKBELL_XMPP_JID: "},
		{"DESKBELL_XMPP_CA_FILE", "/nowhere/ca.pem", "DESKBELL_XMPP_CA_FILE: open /nowhere/ca.pem"},
		{"DESKBELL_XMPP_CA_FILE", "config.go", "DESKBELL_XMPP_CA_FILE: config.go: no certificate"},
		{"DESKBELL_TOKEN_KEY", "hunter2!", "DESKBELL_TOKEN_KEY: use at least 32"},
		{"DESKBELL_KEEP_DAYS", "30", `DESKBELL_KEEP_DAYS: "30": use a number of days, 190 or more`},
		{"DESKBELL_TRUSTED_PROXIES", "10.0.0.1", "DESKBELL_TRUSTED_PROXIES: \"10.0.0.1\": use networks"},
		{"DESKBELL_FILES_DIR", "/nowhere", "DESKBELL_FILES_DIR: stat /nowhere"},
		{"DESKBELL_OIDC_ISSUER", "id.example.org", "DESKBELL_OIDC_ISSUER: \"id.example.org\": write it as"},
		{"DESKBELL_TOKEN_KEY_FILE", "/nowhere/key", "DESKBELL_TOKEN_KEY: is given twice"},
		{"DESKBELL_SMPP_ADDR_3", "smsc3:2775", "DESKBELL_SMPP_SYSTEM_ID_3: is missing"},
		{"DESKBELL_SMPP_PASSWORD_2_FILE", "/nowhere/password", "DESKBELL_SMPP_PASSWORD_2_FILE: open /nowhere/password"},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			t.Parallel()
			env := complete()
			env[tt.name] = tt.value
			_, err := loadFrom(env, Roles()...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), hidden) {
				t.Fatalf("the secret is in %q", err)
			}
		})
	}
	if _, err := loadFrom(complete(), "mail"); err == nil || err.Error() != `role "mail": use api, tickets, sms, im` {
		t.Errorf("a role that is none: %v", err)
	}
}

func TestMoreSMSCs(t *testing.T) {
	t.Parallel()
	env := complete()
	for name, value := range map[string]string{"ADDR": "two:2775", "SYSTEM_ID": "two", "PASSWORD": "pass2", "SOURCE": "30200", "TLS": "1"} {
		env["DESKBELL_SMPP_"+name+"_2"] = value
		env["DESKBELL_SMPP_"+name+"_9"] = value
	}
	if _, err := loadFrom(env, SMS); err == nil || err.Error() != `DESKBELL_SMPP_ADDR_9: "two:2775": is given twice` {
		t.Errorf("one SMSC twice: %v", err)
	}
	env["DESKBELL_SMPP_ADDR_9"] = "nine:2775"
	c, err := loadFrom(env, SMS)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.SMSCs) != 3 {
		t.Fatalf("%d SMSCs", len(c.SMSCs))
	}
	for key, host := range map[string]string{"smsc1": "two", "smsc2": "nine"} {
		if got := plain(c)[key]; got != host+":2775 two pass2 30200 true 0" {
			t.Errorf("%s: %v", key, got)
		}
	}
}

func TestSecretFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(content string) string {
		path := filepath.Join(dir, fmt.Sprint(len(content)))
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	env := complete()
	for _, v := range Known() {
		if v.Secret {
			env[v.Name+"_FILE"] = write(env[v.Name] + "\n")
			delete(env, v.Name)
		}
	}
	got, err := loadFrom(env, Roles()...)
	if err != nil {
		t.Fatal(err)
	}
	want, err := loadFrom(complete(), Roles()...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain(want), plain(got)); diff != "" {
		t.Error(diff)
	}
	env["DESKBELL_TOKEN_KEY_FILE"] = write("\n")
	if _, err := loadFrom(env, API); err == nil || !strings.Contains(err.Error(), "DESKBELL_TOKEN_KEY_FILE: ") {
		t.Errorf("an empty file: %v", err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	c, err := loadFrom(complete(), Roles()...)
	if err != nil {
		t.Fatal(err)
	}
	hiding := struct{ c Config }{c} // fmt calls no methods behind an unexported field
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c"} {
		fmt.Fprintf(&out, verb+verb+verb, c, &c, hiding)
		fmt.Fprintf(&out, verb+verb, c.Database, []Secret{c.TokenKey})
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("start", slog.Any("config", c), slog.Any("key", c.TokenKey), slog.Any("hiding", hiding))
	}
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{hidden, "68756e74", "68756E74"} { // %x and %X of it
		if strings.Contains(out.String(), leak) {
			t.Errorf("%s is in the output", leak)
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("the placeholder is not in the output")
	}
	if (Secret{}).Reveal() != "" {
		t.Error("the zero secret is not empty")
	}
}
