package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"deskbell/devstack"
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
	roomsExamined(t, s, env)
}

// roomsExamined has the doctor look at a room in which claims do not count, for either
// reason.
func roomsExamined(t *testing.T, s *servers, env []string) {
	owner, room := s.ready.People[0], "strange@"+devstack.XMPPRooms
	chat, err := login(s.ready, owner.JID, owner.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer chat.leave()
	env = append(slices.Clone(env), "DESKBELL_XMPP_ROOM="+room)
	if _, err := chat.client.SendOrg(fmt.Sprintf("<presence to='%s/owner'><x xmlns='http://jabber.org/protocol/muc'/></presence>", room)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ setting, value, line string }{
		{"muc#roomconfig_whois", "moderators", "warn team room " + room + " hides who is in it"},
		{"muc#roomconfig_whois", "anyone", "ok team room " + room + " shows who is in it, and has an archive"},
		{"muc#roomconfig_enablearchiving", "0", "warn team room " + room + " has no archive"},
	} {
		if _, err := chat.client.SendOrg(fmt.Sprintf("<iq type='set' id='room' to='%s'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"+
			"<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field><field var='%s'><value>%s</value></field></x></query></iq>", room, c.setting, c.value)); err != nil {
			t.Fatal(err)
		}
		if err := chat.ping(); err != nil {
			t.Fatal(err)
		}
		examine(t, s, env, true, c.line)
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
