package im

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
)

// Card is how clients show the desk: XEP-0054, which servers convert into avatars of
// the newer kind (XEP-0398).
type Card struct {
	Name  string // empty: the account's card stays as it is
	About string
	Photo []byte // PNG, a few kB at most
}

type vcard struct {
	XMLName xml.Name `xml:"vcard-temp vCard"`
	Name    string   `xml:"FN"`
	About   string   `xml:"NOTE,omitempty"`
	Type    string   `xml:"PHOTO>TYPE,omitempty"`
	Photo   string   `xml:"PHOTO>BINVAL,omitempty"`
}

// showCard stores the desk's card with the server, unless it is there: each time it
// is stored everybody's client fetches it again.
func (g *Gateway) showCard(ctx context.Context, s *session) error {
	c := g.config.Card
	if c.Name == "" {
		return nil
	}
	ours := vcard{Name: c.Name, About: c.About, Type: "image/png", Photo: base64.StdEncoding.EncodeToString(c.Photo)}
	answer, err := s.request(ctx, "", "get", vcard{})
	if err != nil && !errors.Is(err, errRefused) { // refused: there is none
		return fmt.Errorf("fetch card: %w", err)
	}
	var there vcard
	if err == nil && xml.Unmarshal(answer.Query, &there) == nil {
		there.XMLName = ours.XMLName
		if there == ours {
			return nil
		}
	}
	_, err = s.request(ctx, "", "set", ours)
	if errors.Is(err, errRefused) {
		g.log.Debug("im: the server keeps no card")
		return nil
	}
	if err != nil {
		return fmt.Errorf("store card: %w", err)
	}
	g.log.Info("im: card stored")
	return nil
}
