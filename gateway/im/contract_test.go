package im

import (
	"os"
	"testing"
)

// contract are the tests that hold on every server.
var contract = []struct {
	name  string
	holds func(*testing.T, *server)
	soak  bool // on ejabberd only in a soak: it is more of the network than of the server
}{
	{"conversation", testConversation, false},
	{"bounce", testBounceFailsTheDelivery, false},
	{"presence", testPresenceOfAPerson, false},
	{"subscriptions", testSubscriptions, false},
	{"requests", testRequestsAreAnswered, false},
	{"forgeries", testForgeriesAreNotRead, false},
	{"cursor", testCursor, false},
	{"first login", testFirstLoginOnAnEmptyArchive, false},
	{"encrypted", testEncryptedMessagesAreRefusedInClear, false},
	{"long messages", testLongMessagesAreCut, true},
	{"floods", testFloods, true},
	{"strange stanzas", testStrangeStanzas, false},
	{"reactions", testReactions, false},
	{"composing", testComposing, true},
	{"correction", testCorrectionOfOurOwn, true},
	{"bounce marks the address", testBounceMarksTheAddress, false},
	{"menu", testMenu, false},
	{"card", testCard, false},
	{"roster", testRosterFollowsTheDirectory, false},
	{"check", testCheck, false},
	{"room", testRoom, false},
	{"room of others", testRoomOfOthers, false},
	{"room without an archive", testRoomWithoutAnArchive, false},
	{"slixmpp", testSlixmpp, false},
	{"D1", testD1IdsComeFromTheArchive, false},
	{"D2", testD2AnEndInTheMiddleOfAStanza, true},
	{"D6", testD6ARefusedQueryGoesBackByTime, false},
	{"D10", testD10InitialPresence, false},
	{"D16", testD16SentIsProven, true},
	{"lost TCP", testLostTCP, true},
	{"stream error", testStreamErrorWaitsLonger, true},
	{"bad network", testNothingIsLostOnABadNetwork, true},
	{"sending on a bad network", testSendingOnABadNetwork, true},
}

// Each on a Prosody of its own.
func TestProsody(t *testing.T) {
	t.Parallel()
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.holds(t, startProsody(t))
		})
	}
}

// One after the other on one ejabberd, which takes its time to start.
func TestEjabberd(t *testing.T) {
	t.Parallel()
	e := startEjabberd(t)
	for _, c := range contract {
		if !c.soak || os.Getenv("DESKBELL_SOAK") != "" {
			t.Run(c.name, func(t *testing.T) { c.holds(t, e.anew(t)) })
		}
	}
}
