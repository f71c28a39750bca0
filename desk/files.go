package desk

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// Attachment is a file of a ticket.
type Attachment = store.Attachment

const (
	// MaxFile is the most that a file may have, in bytes: a photo, or a log.
	MaxFile     = 10 << 20
	maxFiles    = 20  // of one ticket
	maxFileName = 200 // characters
	// scanTimeout is how long a scanner may take; whoever uploads waits for it.
	scanTimeout = 30 * time.Second
)

// fileTypes are what a file may be, as its first bytes tell; office documents are zip.
// Nothing that a browser runs, and no program.
var fileTypes = []string{"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "application/zip", "text/plain", "audio/mpeg", "audio/wave", "video/mp4", "video/webm"}

// ErrNoFiles says that this helpdesk keeps no files.
var ErrNoFiles = errors.New("no folder for files")

// KeepsFiles tells whether there is a folder for files.
func (d *Desk) KeepsFiles() bool { return d.Files != "" }

// Attach keeps a file with a ticket and tells whoever has the ticket. An *InvalidError
// names what is wrong with it. The same file under the same name is kept once.
func (d *Desk) Attach(ctx context.Context, by Caller, number int, name string, content []byte) (Attachment, error) {
	none := Attachment{}
	if d.Files == "" {
		return none, ErrNoFiles
	}
	kind, _, _ := strings.Cut(http.DetectContentType(content), ";")
	name = path.Base(strings.ReplaceAll(strings.TrimSpace(name), `\`, "/"))
	switch {
	case name == "." || name == "/" || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) || utf8.RuneCountInString(name) > maxFileName:
		return none, &InvalidError{"name", "want a file's name, at most 200 characters"}
	case len(content) == 0:
		return none, &InvalidError{"body", "the file is empty"}
	case len(content) > MaxFile:
		return none, &InvalidError{"body", "a file may have 10 MB"}
	case !slices.Contains(fileTypes, kind):
		return none, &InvalidError{"body", "want an image, PDF, text, sound, film, zip or office document"}
	}
	sum := sha256.Sum256(content)
	a := Attachment{ID: rand.Text(), Ticket: number, Name: name, Type: kind, Size: len(content), SHA256: sum[:]}
	if err := d.writeFile(ctx, a.ID, content); err != nil {
		return none, err
	}
	kept, err := d.Store.AddAttachment(ctx, a, maxFiles, Audit{Actor: by.Person.ID, Channel: by.Channel})
	if err != nil || kept.ID != a.ID {
		d.dropFile(ctx, a.ID)
	}
	switch {
	case errors.Is(err, store.ErrTooMany):
		return none, &InvalidError{"body", "the ticket has 20 files already"}
	case err != nil:
		return none, outside(err)
	case kept.ID == a.ID:
		d.tellFile(ctx, by, kept)
	}
	return kept, nil
}

// tellFile puts a file into the ticket's story: of its requester as something they add,
// which the holder hears of, of others as a note. A ticket that takes neither, such as a
// closed one, has the file all the same.
func (d *Desk) tellFile(ctx context.Context, by Caller, a Attachment) {
	verb := ticket.Note
	if t, err := d.Store.Ticket(ctx, a.Ticket); err == nil && t.Requester.ID == by.Person.ID {
		verb = ticket.Write
	}
	_, err := d.Do(ctx, Act{ID: "file-" + a.ID, Person: roster.Person{ID: by.Person.ID, Roles: by.Person.Roles}, Channel: by.Channel, Number: a.Ticket, Verb: verb, Text: "File: " + a.Name})
	if _, refused := ticket.Refused(err); err != nil && !refused {
		d.Log.WarnContext(ctx, "a file was kept and not told of", slog.Int("ticket", a.Ticket), slog.Any("error", err))
	}
}

// Attachments returns a ticket's files, the oldest first.
func (d *Desk) Attachments(ctx context.Context, number int) ([]Attachment, error) {
	list, err := d.Store.Attachments(ctx, number)
	return list, outside(err)
}

// Attachment returns a file and what is in it; ErrNotFound when the ticket has none with
// this id.
func (d *Desk) Attachment(ctx context.Context, number int, id string) (a Attachment, content []byte, err error) {
	list, err := d.Attachments(ctx, number)
	if err != nil {
		return a, nil, err
	}
	i := slices.IndexFunc(list, func(a Attachment) bool { return a.ID == id })
	if i < 0 {
		return a, nil, ErrNotFound
	}
	err = d.inFiles(func(r *os.Root) error {
		f, err := r.Open(id)
		if err != nil {
			return err
		}
		defer f.Close()
		content, err = io.ReadAll(f)
		return err
	})
	if err == nil && !bytes.Equal(sum(content), list[i].SHA256) {
		err = fmt.Errorf("the file %s is not what was kept", id)
	}
	return list[i], content, err
}

func sum(content []byte) []byte {
	s := sha256.Sum256(content)
	return s[:]
}

// Detach removes a file; ErrNotFound when the ticket has none with this id.
func (d *Desk) Detach(ctx context.Context, by Caller, number int, id string) error {
	if _, err := d.Store.RemoveAttachment(ctx, number, id, Audit{Actor: by.Person.ID, Channel: by.Channel}); err != nil {
		return outside(err)
	}
	d.dropFile(ctx, id)
	return nil
}

// inFiles works in the folder of files, and cannot leave it.
func (d *Desk) inFiles(do func(*os.Root) error) error {
	if d.Files == "" {
		return ErrNoFiles
	}
	r, err := os.OpenRoot(d.Files)
	if err != nil {
		return fmt.Errorf("folder of files: %w", err)
	}
	return errors.Join(do(r), r.Close())
}

// writeFile writes a file and has it scanned before it gets its name.
func (d *Desk) writeFile(ctx context.Context, id string, content []byte) error {
	return d.inFiles(func(r *os.Root) error {
		part := id + ".part"
		f, err := r.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("keep a file: %w", err)
		}
		_, err = f.Write(content)
		if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
			err = d.scan(ctx, filepath.Join(d.Files, part))
		}
		if err == nil {
			err = r.Rename(part, id)
		}
		if err != nil {
			return errors.Join(err, r.Remove(part))
		}
		return nil
	})
}

// scan has the operator's scanner look at a file: its status 0 says that it is clean, 1
// that it is not, as clamdscan's.
func (d *Desk) scan(ctx context.Context, file string) error {
	if len(d.Scanner) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	err := exec.CommandContext(ctx, d.Scanner[0], append(slices.Clone(d.Scanner[1:]), file)...).Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 1 {
		return &InvalidError{"body", "the scanner found something bad in the file"}
	}
	if err != nil {
		return fmt.Errorf("scan a file: %w", err)
	}
	return nil
}

func (d *Desk) dropFile(ctx context.Context, id string) {
	err := d.inFiles(func(r *os.Root) error { return r.Remove(id) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.Log.WarnContext(ctx, "a file stays that nobody needs", slog.String("file", id), slog.Any("error", err))
	}
}
