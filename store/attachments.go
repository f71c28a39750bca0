package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"deskbell/store/internal/db"
)

// ErrTooMany says that there are as many as there may be.
var ErrTooMany = errors.New("too many")

// Attachment is a file of a ticket; what is in it lies elsewhere, under its id.
type Attachment struct {
	ID      string
	Ticket  int
	Name    string
	Type    string
	Size    int // bytes
	SHA256  []byte
	AddedBy string
	AddedAt time.Time
}

func attachment(row db.Attachment) Attachment {
	return Attachment{ID: row.ID, Ticket: row.Ticket, Name: row.Name, Type: row.Type, Size: row.Size, SHA256: row.Sha256, AddedBy: row.AddedBy, AddedAt: row.AddedAt.UTC()}
}

// AddAttachment keeps a file's particulars; ErrTooMany when the ticket has most. A file
// that the ticket has under this name is returned as it is, with another id than a.ID.
func (s *Store) AddAttachment(ctx context.Context, a Attachment, most int, by Audit) (kept Attachment, err error) {
	err = s.tx(ctx, "add an attachment", func(q *db.Queries) error {
		row, err := q.AddAttachment(ctx, db.AddAttachmentParams{ID: a.ID, Ticket: a.Ticket, Name: storable(a.Name), Type: a.Type, Size: a.Size, Sha256: a.SHA256,
			AddedBy: by.Actor, AddedAt: s.now(), Most: most})
		if errors.Is(err, pgx.ErrNoRows) {
			present, err := q.Attachments(ctx, a.Ticket)
			for _, row := range present {
				if row.Name == storable(a.Name) && bytes.Equal(row.Sha256, a.SHA256) {
					kept = attachment(row)
					return nil
				}
			}
			return errors.Join(err, ErrTooMany)
		}
		if err != nil {
			return err
		}
		kept = attachment(row)
		by.Act, by.Subject, by.Detail = "attachment.added", fmt.Sprintf("ticket %d", a.Ticket), "file "+a.ID
		return s.note(ctx, q, by)
	})
	return kept, err
}

// Attachments returns a ticket's files, the oldest first.
func (s *Store) Attachments(ctx context.Context, ticket int) ([]Attachment, error) {
	rows, err := s.q.Attachments(ctx, ticket)
	if err != nil {
		return nil, fail("attachments", err)
	}
	list := make([]Attachment, len(rows))
	for i, row := range rows {
		list[i] = attachment(row)
	}
	return list, nil
}

// RemoveAttachment forgets a file; ErrNotFound when the ticket has none with this id.
func (s *Store) RemoveAttachment(ctx context.Context, ticket int, id string, by Audit) (a Attachment, err error) {
	err = s.tx(ctx, "remove an attachment", func(q *db.Queries) error {
		row, err := q.RemoveAttachment(ctx, db.RemoveAttachmentParams{Ticket: ticket, ID: id})
		if err != nil {
			return err
		}
		a = attachment(row)
		by.Act, by.Subject, by.Detail = "attachment.removed", fmt.Sprintf("ticket %d", ticket), "file "+id
		return s.note(ctx, q, by)
	})
	return a, err
}
