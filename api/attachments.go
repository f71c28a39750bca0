package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"

	"deskbell/desk"
)

// Attachment is a file of a ticket as clients see it.
type Attachment struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Type    string    `json:"type" doc:"As its first bytes tell."`
	Size    int       `json:"size" doc:"Bytes."`
	SHA256  string    `json:"sha256"`
	AddedBy string    `json:"added_by"`
	AddedAt time.Time `json:"added_at"`
}

func shapeAttachment(a desk.Attachment) Attachment {
	return Attachment{a.ID, a.Name, a.Type, a.Size, hex.EncodeToString(a.SHA256), a.AddedBy, a.AddedAt}
}

type attachInput struct {
	Number  int    `path:"n" minimum:"1" maximum:"2147483647" doc:"The ticket's number." example:"142"`
	Name    string `query:"name" required:"true" minLength:"1" maxLength:"200" doc:"The file's name." example:"jam.jpg"`
	RawBody []byte `contentType:"application/octet-stream"`
}

type attachOutput struct {
	Location string `header:"Location"`
	Body     Attachment
}

type attachmentsOutput struct {
	Body []Attachment `nullable:"false" doc:"The oldest first."`
}

type attachmentInput struct {
	Number int    `path:"n" minimum:"1" maximum:"2147483647" doc:"The ticket's number." example:"142"`
	ID     string `path:"id" maxLength:"40" doc:"The file's id."`
}

type fileOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Length      string `header:"Content-Length"`
	Body        []byte
}

func (s *server) attachmentRoutes() {
	attach := op("attach", http.MethodPost, "/v1/tickets/{n}/attachments", "Add a file of at most 10 MB: image, PDF, text, sound, film, zip or office document. The same file under the same name is kept once", http.StatusCreated, 404, 413, 501, 503)
	attach.MaxBodyBytes = desk.MaxFile + 1 // what is one byte too much is named so
	route(s, attach, s.attach)
	route(s, op("attachments", http.MethodGet, "/v1/tickets/{n}/attachments", "A ticket's files", http.StatusOK, 404, 503), s.attachments)
	download := op("download", http.MethodGet, "/v1/tickets/{n}/attachments/{id}", "What is in a file; to be saved, not shown", http.StatusOK, 404, 501, 503)
	route(s, download, s.download)
	route(s, op("detach", http.MethodDelete, "/v1/tickets/{n}/attachments/{id}", "Remove a file", http.StatusNoContent, 404, 503), s.detach)
}

func (s *server) attach(ctx context.Context, in *attachInput) (*attachOutput, error) {
	if _, err := s.visible(ctx, in.Number); err != nil {
		return nil, s.problem(ctx, err)
	}
	a, err := s.desk.Attach(ctx, caller(ctx), in.Number, in.Name, in.RawBody)
	if err != nil {
		return nil, s.problem(ctx, err, noFile())
	}
	return &attachOutput{fmt.Sprintf("/v1/tickets/%d/attachments/%s", in.Number, a.ID), shapeAttachment(a)}, nil
}

func (s *server) attachments(ctx context.Context, in *numberInput) (*attachmentsOutput, error) {
	if _, err := s.visible(ctx, in.Number); err != nil {
		return nil, s.problem(ctx, err)
	}
	list, err := s.desk.Attachments(ctx, in.Number)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &attachmentsOutput{Body: []Attachment{}}
	for _, a := range list {
		out.Body = append(out.Body, shapeAttachment(a))
	}
	return out, nil
}

func (s *server) download(ctx context.Context, in *attachmentInput) (*fileOutput, error) {
	if _, err := s.visible(ctx, in.Number); err != nil {
		return nil, s.problem(ctx, err)
	}
	a, content, err := s.desk.Attachment(ctx, in.Number, in.ID)
	if err != nil {
		return nil, s.problem(ctx, err, noFile())
	}
	return &fileOutput{a.Type, mime.FormatMediaType("attachment", map[string]string{"filename": a.Name}), strconv.Itoa(len(content)), content}, nil
}

func (s *server) detach(ctx context.Context, in *attachmentInput) (*empty, error) {
	if err := s.desk.Detach(ctx, caller(ctx), in.Number, in.ID); err != nil {
		return nil, s.problem(ctx, err, noFile())
	}
	return nil, nil
}

func noFile() *Problem {
	return named("no_such_file", http.StatusNotFound, "No such file", "The ticket has no such file.")
}
