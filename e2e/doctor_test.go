package e2e

import (
	"slices"
	"strings"
	"testing"
)

// examined brings the servers from nothing to where the doctor finds no fault, and
// checks on the way that it finds each.
func examined(t *testing.T, s *servers, env []string) {
	examine(t, s, nil, false, "fail configuration DATABASE_URL")
	examine(t, s, env, false, "ok postgresql version", "fail schema version 0", "deskbell migrate", "fail namespace tickets is not known", "ok smpp", "ok xmpp", "has an archive", "ok team room "+deskRoom+" is not there: the desk makes it")
	s.mustRun(env, "migrate")
	s.mustRun(env, "migrate") // there is nothing left to do
	examine(t, s, env, false, "ok schema", "ok search attributes", "fail people nobody is known")
	s.mustRun(env, "people", "--import", s.file("people.json", string(s.people)))
	examine(t, s, env, true, "ok clock", "ok namespace tickets", "ok addresses everybody", "ok rota somebody")
	if said, err := s.run(env, "doctor", "--text", "sms"); err != nil || !strings.Contains(said, "brought a text to ourselves in") {
		t.Errorf("doctor --text: %v\n%s", err, said)
	}
	for _, fault := range []struct{ variable, line string }{
		{"DATABASE_URL=postgres://nobody:secret-of-nobody@127.0.0.1:1/desk", "fail postgresql"},
		{"TEMPORAL_ADDRESS=127.0.0.1:1", "fail temporal 127.0.0.1:1 does not answer"},
		{"DESKBELL_SMPP_PASSWORD=wrong", "fail smpp bind: rejected"},
		{"DESKBELL_SMPP_ADDR=127.0.0.1:1", "fail smpp connect"},
		{"DESKBELL_XMPP_PASSWORD=wrong", "check DESKBELL_XMPP_JID and DESKBELL_XMPP_PASSWORD"},
		{"DESKBELL_XMPP_CA_FILE=../config/testdata/ca.pem", "DESKBELL_XMPP_CA_FILE"},
	} {
		examine(t, s, append(slices.Clone(env), fault.variable), false, fault.line)
	}
}

// examine runs the doctor, and checks its verdict and some of what it says.
func examine(t *testing.T, s *servers, env []string, well bool, lines ...string) {
	t.Helper()
	said, err := s.run(env, "doctor")
	if (err == nil) != well {
		t.Errorf("doctor: %v\n%s", err, said)
	}
	plain := strings.Join(strings.Fields(said), " ")
	for _, line := range lines {
		if !strings.Contains(plain, line) {
			t.Errorf("the doctor does not say %q:\n%s", line, said)
		}
	}
	if strings.Contains(said, "secret-of-nobody") || strings.Contains(said, deskPassword) {
		t.Errorf("a secret in:\n%s", said)
	}
}
