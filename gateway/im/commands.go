package im

import (
	"context"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

// Command is one entry of the menu that clients show (XEP-0050): a form, or none, and
// the line that its values mean. The line is kept as if its sender had typed it.
type Command struct {
	Node, Name string
	Fields     []Field
	Line       func(values map[string]string) string
}

// Field is one line of text in a command's form.
type Field struct {
	Name, Label string
	Required    bool
}

// Menu is the commands, and what a client shows when one is on its way.
type Menu struct {
	Commands []Command
	Sent     string
}

type commandStanza struct {
	XMLName   xml.Name     `xml:"http://jabber.org/protocol/commands command"`
	Node      string       `xml:"node,attr"`
	SessionID string       `xml:"sessionid,attr,omitempty"`
	Action    string       `xml:"action,attr,omitempty"`
	Status    string       `xml:"status,attr,omitempty"`
	Actions   *nextActions `xml:"actions"`
	Form      *form        `xml:"jabber:x:data x"`
	Note      *commandNote `xml:"note"`
}

type nextActions struct {
	Execute  string   `xml:"execute,attr"`
	Complete struct{} `xml:"complete"`
}

type commandNote struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

// longestSession bounds what a client may hand back as its session.
const longestSession = 64

// menu answers what a person asks of the menu; nil when it is something else.
func (g *Gateway) menu(ctx context.Context, s *session, asked xmpp.IQ) (payload any, err error) {
	var q struct {
		XMLName xml.Name
		Node    string `xml:"node,attr"`
	}
	if xml.Unmarshal(asked.Query, &q) != nil {
		return nil, nil
	}
	entry := slices.IndexFunc(g.config.Menu.Commands, func(c Command) bool { return c.Node == q.Node })
	switch {
	case q.XMLName.Space == nsDiscoItem && asked.Type == "get" && q.Node == nsCommands:
		items := discoItems{Node: nsCommands}
		for _, c := range g.config.Menu.Commands {
			items.Items = append(items.Items, discoItem{JID: s.client.JID(), Node: c.Node, Name: c.Name})
		}
		return items, nil
	case entry < 0:
		return nil, nil
	case q.XMLName.Space == nsDiscoInfo && asked.Type == "get":
		return discoInfo{Node: q.Node, Identity: identity{Category: "automation", Type: "command-node", Name: g.config.Menu.Commands[entry].Name},
			Features: []feature{{nsCommands}, {nsForms}}}, nil
	case q.XMLName.Space == nsCommands && asked.Type == "set":
		return g.execute(ctx, g.config.Menu.Commands[entry], asked)
	}
	return nil, nil
}

// execute keeps a command's line in the inbox, or asks for what is missing of it. It
// remembers nothing between the two: the session is the client's, and a form that is
// submitted again under the same session is the same message.
func (g *Gateway) execute(ctx context.Context, c Command, asked xmpp.IQ) (commandStanza, error) {
	var got commandStanza
	if err := xml.Unmarshal(asked.Query, &got); err != nil {
		return commandStanza{}, fmt.Errorf("parse command: %w", err)
	}
	reply := commandStanza{Node: c.Node, SessionID: got.SessionID, Status: "completed"}
	if reply.SessionID == "" || len(reply.SessionID) > longestSession {
		reply.SessionID = randomHex(8)
	}
	if got.Action == "cancel" {
		reply.Status = "canceled"
		return reply, nil
	}
	values, complete := c.values(got.Form)
	if !complete {
		reply.Status, reply.Actions = "executing", &nextActions{Execute: "complete"}
		reply.Form = &form{Type: "form", Title: c.Name}
		for _, f := range c.Fields {
			reply.Form.Fields = append(reply.Form.Fields, f.element(values[f.Name]))
		}
		return reply, nil
	}
	from := bare(asked.From)
	if _, err := g.inbox.Keep(ctx, []gateway.Message{{
		Channel: gateway.IM, Key: "menu/" + c.Node + "/" + reply.SessionID + "/" + from, From: from, ReplyTo: asked.From,
		Text: shorten(c.Line(values), maxText), SentAt: g.clock.Now(),
	}}); err != nil {
		return commandStanza{}, fmt.Errorf("keep command: %w", err)
	}
	reply.Note = &commandNote{Type: "info", Text: g.config.Menu.Sent}
	return reply, nil
}

// values are what a submitted form says, each on one line; complete when nothing that
// is required is missing.
func (c Command) values(submitted *form) (values map[string]string, complete bool) {
	values, complete = map[string]string{}, len(c.Fields) == 0 || submitted != nil && submitted.Type == "submit"
	for _, f := range c.Fields {
		if submitted != nil {
			for _, got := range submitted.Fields {
				if got.Var == f.Name {
					values[f.Name] = strings.Join(strings.Fields(got.Value), " ")
				}
			}
		}
		complete = complete && (!f.Required || values[f.Name] != "")
	}
	return values, complete
}

func (f Field) element(value string) field {
	e := field{Var: f.Name, Type: "text-single", Label: f.Label, Value: value}
	if f.Required {
		e.Required = &struct{}{}
	}
	return e
}
