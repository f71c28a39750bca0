package im

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

// Room is the team's room (XEP-0045). The desk reads it from the room's own archive,
// as it reads chats: the archive of a room that is not anonymous names the real JID of
// whoever wrote each line, which the library hides in presence, and has every line once.
type Room struct {
	JID   string // bare; empty for none
	Hello string // what the desk says in a room where it has said nothing yet
	// Said returns what a line says to the desk, whose nick there is name, and whether it
	// says anything to it. Other lines are not kept.
	Said func(line, name string) (text string, ours bool)
}

// nicks are how many names the desk tries in turn. The library hides why a room refuses
// one.
const nicks = 3

// The desk's seat in the room.
const (
	standing = iota // outside
	asking
	seated
	settled // seated, and it is known what the room keeps
)

var (
	errNoSeat  = errors.New("the room has let the desk go")
	errNoEntry = errors.New("the room does not let the desk in")
)

// room is the desk in its room. One goroutine per login attends; the rest is read by
// senders and the reader.
type room struct {
	*Gateway
	Room
	jid     string // as compared
	archive *archive
	bell    chan struct{} // rung by a line
	moved   chan struct{} // rung when the seat changes
	set     chan struct{} // rung when the room is set up anew
	said    atomic.Int64  // lines of the desk that came back

	mu    sync.Mutex
	nick  string
	seat  int
	kept  bool // there is an archive
	named bool // and it names people
}

func newRoom(g *Gateway) *room {
	r := &room{Gateway: g, Room: g.config.Room, jid: bare(g.config.Room.JID), bell: make(chan struct{}, 1), moved: make(chan struct{}, 1), set: make(chan struct{}, 1)}
	r.archive = &archive{of: r.jid, sort: r.sort}
	return r
}

// attend keeps the desk in the room until ctx ends.
func (r *room) attend(ctx context.Context, s *session) {
	defer r.leave()
	refusals := 0
	for failures := 0; ; failures++ {
		began := r.clock.Now()
		err := r.sit(ctx, s, refusals)
		r.leave()
		if errors.Is(err, errNoEntry) {
			refusals++
		}
		if ctx.Err() != nil {
			return
		}
		if r.clock.Now().Sub(began) >= r.timing.stable {
			failures = 0
		}
		delay := r.timing.room/2 + rand.N(min(r.timing.maxRoom, r.timing.room<<min(failures, 10)))
		r.log.Warn("im: not in the room", slog.Any("error", err), slog.Duration("retry_in", delay))
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
	}
}

func (r *room) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seat == seated {
		r.seat = settled
	}
}

func (r *room) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seat = standing
}

// sit joins and reads until the seat is lost.
func (r *room) sit(ctx context.Context, s *session, refusals int) error {
	_, _, err := s.fetch(ctx, r.jid, newest(1))
	missing := errors.Is(err, errRefused) // the room, or its archive
	if err != nil && !missing {
		return fmt.Errorf("ask for the room's archive: %w", err)
	}
	if err := r.join(ctx, s, refusals); err != nil {
		return err
	}
	if missing {
		if err := r.furnish(ctx, s); err != nil {
			return err
		}
	}
	if err := r.prepare(ctx, s); err != nil {
		return err
	}
	r.settle()
	for {
		if r.reads() {
			if err := r.drain(ctx, s, r.archive); err != nil {
				return fmt.Errorf("read the room's archive: %w", err)
			}
		}
		timer := time.NewTimer(r.timing.poll)
		var gone error
		select {
		case <-r.bell:
		case <-r.moved:
		case <-r.set:
			gone = r.prepare(ctx, s)
		case <-timer.C:
			gone = r.stillThere(ctx, s)
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.sits() < seated || gone != nil {
			return errors.Join(errNoSeat, gone)
		}
	}
}

// prepare finds the place in the room's archive, and whether it names people: it names
// the desk then, beside a line of its own. One that has none yet is written. Of a room
// whose owner has switched the archive off Prosody shows an empty one, but does not say
// that it has one.
func (r *room) prepare(ctx context.Context, s *session) error {
	found, sure, err := s.find(ctx, r.jid)
	if err == nil && !sure {
		err = errors.New("somebody else answers for it")
	}
	if err != nil {
		return fmt.Errorf("ask how the room is: %w", err)
	}
	last, _, err := s.fetch(ctx, r.jid, newest(pageSize))
	r.mu.Lock()
	r.kept, r.named = err == nil && found.Archive, false
	kept, nick := r.kept, r.nick
	r.mu.Unlock()
	if err != nil && !errors.Is(err, errRefused) {
		return fmt.Errorf("ask for the room's archive: %w", err)
	}
	if !kept {
		r.log.Warn("im: the room has no archive (XEP-0313): the desk tells news there, and does nothing that is asked there")
		return nil
	}
	if err := r.locate(ctx, s, r.archive); err != nil {
		return err
	}
	own := slices.DeleteFunc(last, func(e archived) bool { return !r.ours(&e.Forwarded.Message) })
	if n := len(own); n > 0 {
		r.look(&own[n-1].Forwarded.Message)
	} else if err := s.write(ctx, message{To: r.jid, Type: "groupchat", ID: wireID(randomHex(8), r.jid), Body: r.Hello}); err != nil {
		return fmt.Errorf("greet the room: %w", err)
	}
	r.log.Info("im: in the room", slog.String("nick", nick))
	return nil
}

// ours tells whether a line in the room is the desk's own.
func (r *room) ours(m *received) bool { return bare(m.From) == r.jid && addressedTo(m.ID, r.jid) }

// look sees in a line of our own whether the archive names people.
func (r *room) look(own *received) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.named = own.occupant() == bare(r.config.JID)
}

// nonAnonymous is the feature of a room that shows everybody who is in it.
const nonAnonymous = "muc_nonanonymous"

// disclosed notes an answer to a disco#info question.
func (s *session) disclosed(d xmpp.DiscoResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.told) < 2 {
		s.told = append(s.told, d)
	}
}

// find asks how a room is. The library hides who answered: a forged answer would be a
// second one, before that to the ping which the room gets after the question. Nothing is
// sure then, and nothing found but that there is a room.
func (s *session) find(ctx context.Context, room string) (found RoomFound, sure bool, err error) {
	s.mu.Lock()
	s.told = nil
	s.mu.Unlock()
	if err := s.write(ctx, iq{To: room, Type: "get", ID: randomHex(8), Payload: discoQuestion{}}); err != nil {
		return found, false, err
	}
	if _, err := s.request(ctx, room, "get", ping{}); err != nil && !errors.Is(err, errRefused) {
		return found, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found.There, sure = len(s.told) > 0, len(s.told) < 2
	if len(s.told) == 1 {
		features := s.told[0].Features
		found.Open, found.Archive = slices.Contains(features, nonAnonymous), slices.Contains(features, nsArchive)
	}
	return found, sure, nil
}

type discoQuestion struct {
	XMLName xml.Name `xml:"http://jabber.org/protocol/disco#info query"`
}

type roomPresence struct {
	XMLName xml.Name `xml:"presence"`
	To      string   `xml:"to,attr"`
	Join    struct {
		History struct {
			Max int `xml:"maxstanzas,attr"`
		} `xml:"history"`
	} `xml:"http://jabber.org/protocol/muc x"`
}

// join asks for a seat without history, which the archive has, and waits for it.
func (r *room) join(ctx context.Context, s *session, refusals int) error {
	name, _, _ := strings.Cut(bare(r.config.JID), "@")
	r.mu.Lock()
	r.nick, r.seat = name+strings.Repeat("_", refusals%nicks), asking
	nick := r.nick
	r.mu.Unlock()
	if err := s.write(ctx, roomPresence{To: r.jid + "/" + nick}); err != nil {
		return err
	}
	timer := time.NewTimer(r.timing.request)
	defer timer.Stop()
	for r.sits() == asking {
		select {
		case <-r.moved:
		case <-timer.C:
			return fmt.Errorf("%w as %s: no answer", errNoEntry, nick)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if r.sits() < seated {
		return fmt.Errorf("%w as %s", errNoEntry, nick)
	}
	return nil
}

// furniture is what makes a room one in which claims count: it stays, shows who its people
// are, and keeps its lines. Servers refuse a whole form for a field that they do not know,
// and call the archive by different names (Prosody's, ejabberd's).
var furniture = [][]field{
	{{Var: "muc#roomconfig_persistentroom", Value: "1"}, {Var: "muc#roomconfig_whois", Value: "anyone"}},
	{{Var: "muc#roomconfig_enablearchiving", Value: "1"}},
	{{Var: "mam", Value: "1"}},
}

// furnish sets up a room of the desk's own. It may have been made by joining.
func (r *room) furnish(ctx context.Context, s *session) error {
	type owner struct {
		XMLName xml.Name `xml:"http://jabber.org/protocol/muc#owner query"`
		Form    form     `xml:"jabber:x:data x"`
	}
	for _, piece := range furniture {
		kind := field{Var: "FORM_TYPE", Type: "hidden", Value: "http://jabber.org/protocol/muc#roomconfig"}
		_, err := s.request(ctx, r.jid, "set", owner{Form: form{Type: "submit", Fields: append([]field{kind}, piece...)}})
		if errors.Is(err, errRefused) {
			r.log.Debug("im: the room refuses a setting", slog.String("setting", piece[0].Var))
		} else if err != nil {
			return fmt.Errorf("set up the room: %w", err)
		}
	}
	return nil
}

// stillThere asks the room whether we are in it (XEP-0410): one that was restarted has
// forgotten us without a word.
func (r *room) stillThere(ctx context.Context, s *session) error {
	_, err := s.request(ctx, r.place(), "get", ping{})
	return err
}

// note hears what the room says of our seat. It runs in the reader.
func (r *room) note(said xmpp.Presence) {
	_, nick, _ := strings.Cut(said.From, "/")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seat == standing || nick != r.nick && (said.Type != "error" || nick != "") {
		return
	}
	switch said.Type {
	case "":
		r.seat = max(r.seat, seated)
	case "unavailable", "error":
		r.seat = standing
	}
	ring(r.moved)
}

// whispers tells what somebody in the room says to the desk alone, which is nothing to
// us, and must not pass for the room's own word on a line of ours.
func (r *room) whispers(chat xmpp.Chat) bool {
	return bare(chat.Remote) == r.jid && strings.Contains(chat.Remote, "/") && chat.Type != "groupchat"
}

// hear hears a line. One of a room with an archive is in there; of another it cannot be
// known who wrote it. It runs in the reader.
func (r *room) hear(line xmpp.Chat, ask func(xmpp.Chat)) {
	if line.Remote == r.jid && slices.ContainsFunc(line.OtherElem, func(e xmpp.XMLElement) bool { return e.XMLName.Space == nsRoomUser }) {
		ring(r.set) // the room itself says that it is another now (XEP-0045, 10.2.1)
		return
	}
	if bare(line.Remote) != r.jid || line.Text == "" || !line.Stamp.IsZero() {
		return
	}
	switch {
	case !r.reads():
		ask(line)
	case line.Remote != r.place() || !r.names() || r.said.Add(1)%pageSize == 0: // as with our own chats, see sendProven
		ring(r.bell)
	}
}

// keepLine keeps a line of a room without an archive.
func (r *room) keepLine(ctx context.Context, s *session, line xmpp.Chat) error {
	kept, _, err := r.sort(ctx, s, r.asArchived(line))
	if err != nil || kept == nil {
		return err
	}
	kept.Cursor, kept.Archive = "", ""
	if _, err := r.inbox.Keep(ctx, []gateway.Message{*kept}); err != nil {
		return fmt.Errorf("keep a line of the room: %w", err)
	}
	return nil
}

// sort is what an entry of the room's archive is. That the archive names the desk beside
// its own lines is not enough, because ejabberd's does so in rooms that hide everybody
// else. Lines of people whose real JID cannot be known come from their place in the room,
// which is nobody's address; of the others those of people in the directory count.
func (r *room) sort(ctx context.Context, s *session, e archived) (*gateway.Message, *message, error) {
	m := &e.Forwarded.Message
	_, nick, _ := strings.Cut(m.From, "/")
	if r.ours(m) {
		r.look(m)
		return nil, nil, nil
	}
	if bare(m.From) != r.jid || nick == "" || m.Type != "groupchat" || m.encrypted() {
		return nil, nil, nil
	}
	text, ours := r.Said(m.text(), r.name())
	if !ours {
		return nil, nil, nil
	}
	from := strings.ToLower(m.From)
	if r.names() && len(m.Occupants) > 0 {
		named := m.occupant()
		if named == "" {
			r.log.Warn("im: a line in the room with forged marks, passed over")
			return nil, nil, nil
		}
		known, err := r.directory.Known(ctx, named)
		if err != nil {
			return nil, nil, fmt.Errorf("look up sender: %w", err)
		}
		if !known {
			return nil, nil, nil
		}
		room, _, err := s.find(ctx, r.jid)
		if err != nil {
			return nil, nil, fmt.Errorf("ask whom the room shows: %w", err)
		}
		if room.Open {
			from = named
		}
	}
	if strings.Contains(from, "/") {
		if allowed, _ := r.strangers.allow(r.jid); !allowed {
			return nil, nil, nil
		}
	}
	return &gateway.Message{
		Channel: gateway.IM, Key: e.ID + "/" + r.jid + "/" + from, From: from, ReplyTo: r.jid, Text: shorten(text, maxText),
		SentAt: e.Forwarded.Delay.Stamp, Cursor: e.ID, Archive: r.jid, Corrects: m.Replaces != nil,
	}, nil, nil
}

// notInside is how a room returns what somebody outside it says.
const notInside = "not-acceptable"

// posted decides what needs no writing: nothing can be said from outside, and a line
// whose earlier attempt has an unknown outcome may be among the room's last.
func (r *room) posted(ctx context.Context, s *session, d gateway.Delivery, id string) (o gateway.Outcome, done bool) {
	if r.sits() != settled {
		return gateway.Outcome{State: gateway.Due, RetryIn: sendAgain, Reason: "not in the room"}, true
	}
	if !d.Repeated || !r.reads() {
		return o, false
	}
	last, _, err := s.fetch(ctx, r.jid, newest(pageSize))
	switch {
	case err != nil:
		return gateway.Outcome{State: gateway.Due, RetryIn: sendAgain, Reason: "the room's archive does not answer"}, true
	case slices.ContainsFunc(last, func(e archived) bool { return e.Forwarded.Message.ID == id }):
		return gateway.Outcome{State: gateway.Sent, WireIDs: []string{id}}, true
	}
	return o, false
}

// place is the desk's own address in the room.
func (r *room) place() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.jid + "/" + r.nick
}

func (r *room) sits() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seat
}

func (r *room) reads() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept
}

func (r *room) names() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.named
}

func (r *room) name() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nick
}
