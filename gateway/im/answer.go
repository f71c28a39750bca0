package im

import (
	"context"
	"encoding/xml"
	"log/slog"
	"runtime/debug"

	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

type discoInfo struct {
	XMLName  xml.Name  `xml:"http://jabber.org/protocol/disco#info query"`
	Node     string    `xml:"node,attr,omitempty"`
	Identity identity  `xml:"identity"`
	Features []feature `xml:"feature"`
}

type identity struct {
	Category string `xml:"category,attr"`
	Type     string `xml:"type,attr"`
	Name     string `xml:"name,attr"`
}

type feature struct {
	Var string `xml:"var,attr"`
}

type discoItems struct {
	XMLName xml.Name    `xml:"http://jabber.org/protocol/disco#items query"`
	Node    string      `xml:"node,attr,omitempty"`
	Items   []discoItem `xml:"item"`
}

type discoItem struct {
	JID  string `xml:"jid,attr"`
	Node string `xml:"node,attr"`
	Name string `xml:"name,attr"`
}

type version struct {
	XMLName xml.Name `xml:"jabber:iq:version query"`
	Name    string   `xml:"name"`
	Version string   `xml:"version"`
}

type unavailable struct {
	XMLName   xml.Name `xml:"error"`
	Type      string   `xml:"type,attr"`
	Condition struct{} `xml:"urn:ietf:params:xml:ns:xmpp-stanzas service-unavailable"`
}

// features are the protocols that the desk speaks.
var features = []feature{
	{nsChatStates}, {nsCommands}, {nsCorrection}, {nsDiscoInfo}, {nsDiscoItem}, {nsPing},
	{nsReactions}, {nsReceipts}, {nsReply}, {nsVersion},
}

// answers are what a person of the directory may ask of us. The ping is not among
// them: the library answers it by itself, to anybody who knows our resource.
var answers = map[xml.Name]func() any{
	{Space: nsDiscoInfo, Local: "query"}: func() any {
		return discoInfo{
			Identity: identity{Category: "client", Type: "bot", Name: "Deskbell"},
			Features: features,
		}
	},
	{Space: nsDiscoItem, Local: "query"}: func() any { return discoItems{} },
	{Space: nsVersion, Local: "query"}: func() any {
		v := version{Name: "Deskbell", Version: "unreleased"}
		if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
			v.Version = info.Main.Version
		}
		return v
	},
}

// answer deals with what comes live and may wait for the directory or the store:
// subscriptions, IQ requests, receipts, and lines of a room without an archive.
func (g *Gateway) answer(ctx context.Context, s *session) {
	for {
		select {
		case <-s.done:
			return
		case request := <-s.asked:
			var err error
			switch r := request.(type) {
			case xmpp.Presence:
				err = g.answerSubscription(ctx, s, bare(r.From))
			case xmpp.IQ:
				err = g.answerIQ(ctx, s, r)
			case gateway.Receipt:
				err = g.receipt(ctx, r)
			case xmpp.Chat:
				err = g.room.keepLine(ctx, s, r)
			}
			if err != nil {
				g.log.Warn("im: answer a request", slog.Any("error", err))
			}
		}
	}
}

// answerSubscription lets people of the directory see the desk, and asks to see
// them. Strangers hear nothing; the server repeats their request at each login.
func (g *Gateway) answerSubscription(ctx context.Context, s *session, from string) error {
	known, err := g.directory.Known(ctx, from)
	if err != nil || !known {
		return err
	}
	if err := s.write(ctx, presence{To: from, Type: "subscribed"}); err != nil {
		return err
	}
	return s.write(ctx, presence{To: from, Type: "subscribe"})
}

// answerIQ answers every request but the ping, which the library has answered: the server
// does not do it for us, and whoever asked would wait for ever.
func (g *Gateway) answerIQ(ctx context.Context, s *session, asked xmpp.IQ) error {
	query := rootOf(asked.Query)
	reply := iq{To: asked.From, Type: "result", ID: asked.ID}
	switch own := asked.From == "" || asked.From == bare(g.config.JID); {
	case query.Space == nsPing && asked.Type == "get":
		return nil
	case own && query.Space == nsRoster && asked.Type == "set":
		if err := g.noteRoster(s, asked.Query); err != nil {
			return err
		}
	case g.known(ctx, asked.From):
		payload, err := g.offer(ctx, s, asked, query)
		switch {
		case err != nil:
			g.log.Error("im: menu", slog.Any("error", err))
			reply.Type, reply.Payload = "error", unavailable{Type: "wait"}
		case payload == nil:
			reply.Type, reply.Payload = "error", unavailable{Type: "cancel"}
		default:
			reply.Payload = payload
		}
	default:
		reply.Type, reply.Payload = "error", unavailable{Type: "cancel"}
	}
	return s.write(ctx, reply)
}

// offer is what a person of the directory gets; nil for what the desk does not have.
func (g *Gateway) offer(ctx context.Context, s *session, asked xmpp.IQ, query xml.Name) (payload any, err error) {
	if payload, err = g.menu(ctx, s, asked); payload != nil || err != nil {
		return payload, err
	}
	if build := answers[query]; build != nil && asked.Type == "get" {
		return build(), nil
	}
	return nil, nil
}

func (g *Gateway) known(ctx context.Context, jid string) bool {
	known, err := g.directory.Known(ctx, bare(jid))
	if err != nil {
		g.log.Error("im: look up JID", slog.Any("error", err))
	}
	return known && err == nil
}
