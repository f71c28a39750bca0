package im

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// ejabberd is a server that several tests use in turn.
type ejabberd struct {
	*server
	api string // its HTTP API, for whoever is on this machine
}

// startEjabberd runs the system's ejabberd without its service, its user and Erlang's
// port mapper. It has no accounts yet.
func startEjabberd(t testing.TB) *ejabberd {
	t.Helper()
	programs, err := filepath.Glob("/usr/lib/*/ejabberd-*/ebin/ejabberd.app")
	if err != nil {
		t.Fatal(err)
	}
	needs(t, len(programs) > 0, "ejabberd", "ejabberd")
	e := &ejabberd{server: newServer(t), api: freePort(t)}
	certificate := ""
	for _, name := range []string{"key.pem", "cert.pem", "ca.pem"} {
		part, err := os.ReadFile(filepath.Join(e.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		certificate += string(part)
	}
	e.file("all.pem", certificate)
	_, port, _ := net.SplitHostPort(e.addr)
	_, apiPort, _ := net.SplitHostPort(e.api)
	config := filepath.Join(e.dir, "ejabberd.yml")
	e.file("ejabberd.yml", fmt.Sprintf(`
hosts: [%[1]s]
loglevel: warning
certfiles: [%[2]s/all.pem]
listen:
  - {port: %[3]s, ip: 127.0.0.1, module: ejabberd_c2s, starttls_required: true, max_stanza_size: 262144}
  - {port: %[4]s, ip: 127.0.0.1, module: ejabberd_http, request_handlers: {/api: mod_http_api}}
auth_method: [internal]
auth_password_format: scram
auth_scram_hash: sha256
api_permissions: {here: {who: [{ip: 127.0.0.1/8}], what: "*"}}
modules:
  mod_adhoc: {}
  mod_admin_extra: {}
  mod_caps: {}
  mod_carboncopy: {}
  mod_disco: {}
  mod_http_api: {}
  mod_mam: {default: always}
  mod_muc: {host: rooms.@HOST@, access_create: all, default_room_options: {mam: true}}
  mod_muc_admin: {}
  mod_offline: {}
  mod_ping: {}
  mod_pubsub: {plugins: [flat, pep]}
  mod_roster: {}
  mod_vcard: {}
  mod_version: {}
`, host, e.dir, port, apiPort))
	e.forgets, e.fragile, e.archive = true, true, "mam"
	e.command = func() *exec.Cmd {
		erl := exec.Command("erl", "-noinput", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
			"-mnesia", "dir", fmt.Sprintf("%q", filepath.Join(e.dir, "database")), "-s", "ejabberd")
		erl.Env = append(os.Environ(), "HOME="+e.dir, "ERL_LIBS="+filepath.Dir(filepath.Dir(filepath.Dir(programs[0]))), "ERL_CRASH_DUMP_SECONDS=0",
			"EJABBERD_CONFIG_PATH="+config, "EJABBERD_LOG_PATH="+filepath.Join(e.dir, "log"))
		return erl
	}
	e.ready = func() bool { // it listens before it is
		_, err := e.ask("status", map[string]any{})
		return err == nil
	}
	e.start()
	t.Cleanup(e.kill)
	return e
}

// anew is the server for a test of its own, with nothing left of earlier ones.
func (e *ejabberd) anew(t *testing.T) *server {
	t.Helper()
	e.t = t
	e.call("destroy_room", map[string]any{"name": "team", "service": "rooms." + host})
	for user := range users {
		e.call("unregister", map[string]any{"user": user, "host": host})
		e.call("register", map[string]any{"user": user, "host": host, "password": password})
	}
	for user, contacts := range users {
		for _, c := range contacts {
			e.call("add_rosteritem", map[string]any{"localuser": user, "localhost": host, "user": c, "host": host, "nick": c, "group": "", "subs": "both"})
		}
	}
	return e.server
}

// call runs a command of ejabberd's.
func (e *ejabberd) call(command string, arguments map[string]any) {
	e.t.Helper()
	if said, err := e.ask(command, arguments); err != nil && command != "destroy_room" { // there may be none
		e.t.Fatalf("%s: %v: %s", command, err, said)
	}
}

func (e *ejabberd) ask(command string, arguments map[string]any) (said []byte, err error) {
	body, err := json.Marshal(arguments)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(e.t.Context(), http.MethodPost, "http://"+e.api+"/api/"+command, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Close = true // no connection is left to whoever looks for leaks
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if said, err = io.ReadAll(answer.Body); err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status)
	}
	return said, err
}
