package im

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-xmpp"
)

// XML name spaces.
const (
	nsArchive    = "urn:xmpp:mam:2"
	nsCarbons    = "urn:xmpp:carbons:2"
	nsChatStates = "http://jabber.org/protocol/chatstates"
	nsCommands   = "http://jabber.org/protocol/commands"
	nsForms      = "jabber:x:data"
	nsCorrection = "urn:xmpp:message-correct:0"
	nsReactions  = "urn:xmpp:reactions:0"
	nsEncryption = "urn:xmpp:eme:0"
	nsOMEMO      = "eu.siacs.conversations.axolotl"
	nsPing       = "urn:xmpp:ping"
	nsReceipts   = "urn:xmpp:receipts"
	nsReply      = "urn:xmpp:reply:0"
	nsRoomUser   = "http://jabber.org/protocol/muc#user"
	nsRoster     = "jabber:iq:roster"
	nsVersion    = "jabber:iq:version"
	nsDiscoInfo  = "http://jabber.org/protocol/disco#info"
	nsDiscoItem  = "http://jabber.org/protocol/disco#items"
	nsConditions = "urn:ietf:params:xml:ns:xmpp-stanzas"
)

// bare strips the resource of a JID and lower-cases the rest.
func bare(jid string) string {
	b, _, _ := strings.Cut(jid, "/")
	return strings.ToLower(b)
}

func domain(jid string) string {
	_, d, _ := strings.Cut(bare(jid), "@")
	return d
}

// wireID derives the id of an outgoing message from its delivery's key and its
// addressee. The same delivery has the same id at every attempt and in every
// process. The second half belongs to the addressee, so nobody else can send a
// receipt for it: see addressedTo.
func wireID(key, to string) string {
	k := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(append(k[:12:12], addressee(k[:12], to)...))
}

// addressedTo tells whether id is one that wireID makes for this JID.
func addressedTo(id, jid string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(id)
	return err == nil && len(raw) == 18 && string(raw[12:]) == string(addressee(raw[:12], jid))
}

func addressee(key []byte, jid string) []byte {
	sum := sha256.Sum256(append(key[:len(key):len(key)], bare(jid)...))
	return sum[:6]
}

// Stanzas that go out. The library's own builders escape too little; these are
// marshalled by encoding/xml, which also replaces what XML cannot carry.

type message struct {
	XMLName  xml.Name  `xml:"message"`
	To       string    `xml:"to,attr"`
	Type     string    `xml:"type,attr,omitempty"`
	ID       string    `xml:"id,attr,omitempty"`
	Body     string    `xml:"body,omitempty"`
	Request  *struct{} `xml:"urn:xmpp:receipts request"`
	Received *idRef    `xml:"urn:xmpp:receipts received"`
	OriginID *idRef    `xml:"urn:xmpp:sid:0 origin-id"`
	// Replaces is the message that this takes the place of (XEP-0308); a client
	// without corrections shows one more message.
	Replaces  *idRef    `xml:"urn:xmpp:message-correct:0 replace"`
	Active    *struct{} `xml:"http://jabber.org/protocol/chatstates active"`
	Composing *struct{} `xml:"http://jabber.org/protocol/chatstates composing"`
	// Unstyled has a client show stars and backquotes as somebody typed them (XEP-0393);
	// we use none ourselves.
	Unstyled *struct{} `xml:"urn:xmpp:styling:0 unstyled"`
}

type idRef struct {
	ID string `xml:"id,attr"`
}

type presence struct {
	XMLName xml.Name `xml:"presence"`
	To      string   `xml:"to,attr,omitempty"`
	Type    string   `xml:"type,attr,omitempty"`
	Status  string   `xml:"status,omitempty"`
}

type iq struct {
	XMLName xml.Name `xml:"iq"`
	To      string   `xml:"to,attr,omitempty"`
	Type    string   `xml:"type,attr"`
	ID      string   `xml:"id,attr"`
	Payload any
}

type ping struct {
	XMLName xml.Name `xml:"urn:xmpp:ping ping"`
}

type rosterQuery struct {
	XMLName xml.Name     `xml:"jabber:iq:roster query"`
	Items   []rosterItem `xml:"item"`
}

type rosterItem struct {
	JID          string `xml:"jid,attr"`
	Subscription string `xml:"subscription,attr"`
	Ask          string `xml:"ask,attr,omitempty"`
}

type archivePreferences struct {
	XMLName xml.Name `xml:"urn:xmpp:mam:2 prefs"`
	Default string   `xml:"default,attr"`
	Always  struct{} `xml:"always"`
	Never   struct{} `xml:"never"`
}

type archiveQuery struct {
	XMLName xml.Name `xml:"urn:xmpp:mam:2 query"`
	QueryID string   `xml:"queryid,attr"`
	Form    *form    `xml:"jabber:x:data x"`
	Set     pageSet
	Flip    *struct{} `xml:"flip-page"` // the newest first
}

// archiveForm asks what may be asked of an archive, and whether there is one.
type archiveForm struct {
	XMLName xml.Name `xml:"urn:xmpp:mam:2 query"`
}

type form struct {
	Type   string  `xml:"type,attr"`
	Title  string  `xml:"title,omitempty"`
	Fields []field `xml:"field"`
}

type field struct {
	Var      string    `xml:"var,attr"`
	Type     string    `xml:"type,attr,omitempty"`
	Label    string    `xml:"label,attr,omitempty"`
	Value    string    `xml:"value,omitempty"`
	Required *struct{} `xml:"required"`
}

type pageSet struct {
	XMLName xml.Name `xml:"http://jabber.org/protocol/rsm set"`
	Max     int      `xml:"max"`
	After   string   `xml:"after,omitempty"`
	Before  *string  `xml:"before"`
}

// since is the filter "from this time on"; nil for the zero time.
func since(t time.Time) *form {
	if t.IsZero() {
		return nil
	}
	return &form{Type: "submit", Fields: []field{
		{Var: "FORM_TYPE", Type: "hidden", Value: nsArchive},
		{Var: "start", Value: t.UTC().Format(time.RFC3339)},
	}}
}

// with is the filter "from or to this person".
func with(jid string) *form {
	return &form{Type: "submit", Fields: []field{
		{Var: "FORM_TYPE", Type: "hidden", Value: nsArchive},
		{Var: "with", Value: jid},
	}}
}

// What comes in from the archive.

type archiveEnd struct {
	XMLName  xml.Name `xml:"urn:xmpp:mam:2 fin"`
	Complete bool     `xml:"complete,attr"`
}

// archived is one entry of the archive. Children are matched by name space, so a
// <body> in another one does not pass for the text.
type archived struct {
	ID        string `xml:"-"`
	Forwarded struct {
		Delay struct {
			Stamp time.Time `xml:"stamp,attr"`
		} `xml:"urn:xmpp:delay delay"`
		Message received `xml:"jabber:client message"`
	} `xml:"urn:xmpp:forward:0 forwarded"`
}

type received struct {
	From      string     `xml:"from,attr"`
	Type      string     `xml:"type,attr"`
	ID        string     `xml:"id,attr"`
	Bodies    []body     `xml:"jabber:client body"`
	Reply     *idRef     `xml:"urn:xmpp:reply:0 reply"`
	Fallbacks []fallback `xml:"urn:xmpp:fallback:0 fallback"`
	Replaces  *idRef     `xml:"urn:xmpp:message-correct:0 replace"`
	Request   *struct{}  `xml:"urn:xmpp:receipts request"`
	Received  *idRef     `xml:"urn:xmpp:receipts received"`
	// Reactions are all that stand on a message of ours now (XEP-0444).
	Reactions *struct {
		ID    string   `xml:"id,attr"`
		Emoji []string `xml:"urn:xmpp:reactions:0 reaction"`
	} `xml:"urn:xmpp:reactions:0 reactions"`
	// Occupants are what the archive of a room that is not anonymous adds (XEP-0313,
	// 5.1.3), and what anybody may have written before it did.
	Occupants []struct {
		Items []struct {
			JID string `xml:"jid,attr"`
		} `xml:"http://jabber.org/protocol/muc#user item"`
	} `xml:"http://jabber.org/protocol/muc#user x"`
	OMEMO *struct{} `xml:"eu.siacs.conversations.axolotl encrypted"`
	// Encryption is what says so of any kind (XEP-0380).
	Encryption *struct{} `xml:"urn:xmpp:eme:0 encryption"`
	Error      *failure  `xml:"jabber:client error"`
}

type body struct {
	Lang string `xml:"http://www.w3.org/XML/1998/namespace lang,attr"`
	Text string `xml:",chardata"`
}

// fallback marks the part of a body that only repeats the quoted message
// (XEP-0428); positions count code points.
type fallback struct {
	For  string `xml:"for,attr"`
	Body *struct {
		Start string `xml:"start,attr"`
		End   string `xml:"end,attr"`
	} `xml:"urn:xmpp:fallback:0 body"`
}

type failure struct {
	Type       string `xml:"type,attr"`
	Conditions []struct {
		XMLName xml.Name
	} `xml:",any"`
}

// condition names the first defined condition, such as "service-unavailable".
func (f *failure) condition() string {
	for _, c := range f.Conditions {
		if c.XMLName.Space == nsConditions && c.XMLName.Local != "text" {
			return c.XMLName.Local
		}
	}
	return "undefined-condition"
}

// text is the first body without a language, else the first, without the part
// that repeats what the message replies to.
func (m *received) text() string {
	if len(m.Bodies) == 0 {
		return ""
	}
	chosen := m.Bodies[0].Text
	for _, b := range m.Bodies {
		if b.Lang == "" {
			chosen = b.Text
			break
		}
	}
	for _, f := range m.Fallbacks {
		chosen = f.strip(chosen)
	}
	return chosen
}

// occupant is the bare JID of whoever wrote a line in a room; empty when it is not
// certain: a second one can only be forged, and which it is the archive does not say.
func (m *received) occupant() string {
	if len(m.Occupants) != 1 || len(m.Occupants[0].Items) != 1 {
		return ""
	}
	return bare(m.Occupants[0].Items[0].JID)
}

func (m *received) encrypted() bool { return m.OMEMO != nil || m.Encryption != nil }

// reaction is the last emoji that was put on a message of ours, with that
// message's id; empty when it was taken back.
func (m *received) reaction() (emoji, id string) {
	if m.Reactions == nil || len(m.Reactions.Emoji) == 0 {
		return "", ""
	}
	return m.Reactions.Emoji[len(m.Reactions.Emoji)-1], m.Reactions.ID
}

func (f fallback) strip(text string) string {
	if f.For != nsReply || f.Body == nil {
		return text
	}
	start, err1 := strconv.Atoi(f.Body.Start)
	end, err2 := strconv.Atoi(f.Body.End)
	runes := []rune(text)
	if err1 != nil || err2 != nil || start < 0 || end < start || end > len(runes) {
		return text
	}
	return string(runes[:start]) + string(runes[end:])
}

// parseArchived reads a <result> element that the library hands over as raw XML.
func parseArchived(e xmpp.XMLElement) (archived, error) {
	var a archived
	if err := xml.Unmarshal([]byte("<result>"+e.InnerXML+"</result>"), &a); err != nil {
		return archived{ID: attribute(e, "id")}, fmt.Errorf("parse archived message: %w", err)
	}
	a.ID = attribute(e, "id")
	return a, nil
}

func attribute(e xmpp.XMLElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// rootOf names the payload of an IQ, which the library hands over as raw XML.
func rootOf(query []byte) xml.Name {
	var root struct{ XMLName xml.Name }
	if xml.Unmarshal(query, &root) != nil {
		return xml.Name{}
	}
	return root.XMLName
}
