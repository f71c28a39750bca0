package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"deskbell/store/internal/db"
)

// Audit is one act: who did what to what, and through which door.
type Audit struct {
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`   // a person's id; empty for the command line, deskbell for the desk itself
	Channel string    `json:"channel"` // sms, im, rest, web, cli
	Act     string    `json:"act"`     // ticket.taken, token.created
	Subject string    `json:"subject"` // ticket 142, token 3, person ann
	Detail  string    `json:"detail,omitempty"`
}

// Note keeps an act that is no ticket's. Its time is set here.
func (s *Store) Note(ctx context.Context, a Audit) error {
	return fail("audit", s.note(ctx, s.q, a))
}

func (s *Store) note(ctx context.Context, q *db.Queries, a Audit) error {
	return q.Note(ctx, db.NoteParams{At: s.now(), Actor: a.Actor, Channel: a.Channel, Act: a.Act, Subject: a.Subject, Detail: storable(a.Detail)})
}

// AuditFilter selects acts; zero fields select all.
type AuditFilter struct {
	Actor   string
	Act     string // or what it begins with
	Subject string
	Since   time.Time
	Cursor  string // from the previous page
	Limit   int    // 50 when zero, 200 at most
}

// Audit returns what was done, to tickets and to everything else, the newest first,
// and the cursor of the next page, empty on the last.
func (s *Store) Audit(ctx context.Context, f AuditFilter) (list []Audit, next string, err error) {
	limit := pageSize(f.Limit)
	p := db.AuditParams{BeforeAt: forever, Since: f.Since, Actor: f.Actor, Act: f.Act, Subject: f.Subject, Max: limit + 1}
	if number, named := strings.CutPrefix(f.Subject, "ticket "); named {
		n, _ := strconv.ParseInt(number, 10, 32) // of what is no number it makes one that no ticket has
		p.Ticket = int(n)
	}
	if f.Cursor != "" {
		if p.BeforeAt, p.BeforeSource, p.BeforeID, err = auditPlace(f.Cursor); err != nil {
			return nil, "", err
		}
	}
	rows, err := s.q.Audit(ctx, p)
	if err != nil {
		return nil, "", fail("audit", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		last := rows[limit-1]
		next = fmt.Sprintf("%d.%d.%d", last.At.UnixMicro(), last.Source, last.ID)
	}
	for _, r := range rows {
		list = append(list, Audit{At: r.At.UTC(), Actor: r.Actor, Channel: r.Channel, Act: r.Act, Subject: r.Subject, Detail: r.Detail})
	}
	return list, next, nil
}

func auditPlace(cursor string) (at time.Time, source int, id int64, err error) {
	var micros int64
	if n, err := fmt.Sscanf(cursor, "%d.%d.%d", &micros, &source, &id); n != 3 || err != nil || strings.Count(cursor, ".") != 2 || source < 0 || source > 1 {
		return at, 0, 0, ErrCursor
	}
	return time.UnixMicro(micros).UTC(), source, id, nil
}

// pageSize is how many entries a page has that asks for n.
func pageSize(n int) int {
	if n <= 0 {
		return defaultPage
	}
	return min(n, maxPage)
}
