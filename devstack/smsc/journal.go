package smsc

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

// record is one line of the journal: something that happened. The state is what
// the records say, in their order.
type record struct {
	Op    string    `json:"op"`
	At    time.Time `json:"at"`
	ID    string    `json:"id,omitempty"`
	Phone string    `json:"phone,omitempty"`

	Peer    string    `json:"peer,omitempty"` // who the helpdesk said it was
	Text    string    `json:"text,omitempty"`
	Coding  byte      `json:"coding,omitempty"`
	Data    []byte    `json:"data,omitempty"`
	Ref     uint16    `json:"ref,omitempty"`
	Number  int       `json:"number,omitempty"`
	Total   int       `json:"total,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	Due     time.Time `json:"due,omitzero"`
	Stamp   time.Time `json:"stamp,omitzero"` // of a typed text, when it is not At
	Wanted  bool      `json:"receipt_wanted,omitempty"`
	State   string    `json:"state,omitempty"`
	On      bool      `json:"on,omitempty"`
}

// What a record may say.
const (
	opSubmitted = "submitted" // the helpdesk handed over a segment
	opFate      = "fate"      // a segment was delivered, expired or failed
	opReceipted = "receipted" // the helpdesk acknowledged a segment's receipt
	opTyped     = "typed"     // somebody wrote on a phone
	opTaken     = "taken"     // the helpdesk acknowledged a part of that
	opPower     = "power"     // a phone was switched
)

// journal is an append-only file of records. One goroutine writes; what comes
// together is synced together.
type journal struct {
	file *os.File
	in   chan entry
	done sync.WaitGroup
	log  *slog.Logger
}

type entry struct {
	record record
	synced func(error)
}

// openJournal reads what is there, record by record, and appends from then on. A
// last line that was cut by a crash is cut off.
func openJournal(path string, log *slog.Logger, replay func(record)) (*journal, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	whole, err := readJournal(file, replay)
	if err == nil {
		err = file.Truncate(whole)
	}
	if err == nil {
		_, err = file.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), file.Close())
	}
	j := &journal{file: file, in: make(chan entry, 1024), log: log}
	j.done.Go(j.write)
	return j, nil
}

func readJournal(r io.Reader, replay func(record)) (whole int64, err error) {
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return whole, err
		}
		var rec record
		if err := json.Unmarshal(line, &rec); err != nil {
			return whole, fmt.Errorf("line at octet %d: %w", whole, err)
		}
		replay(rec)
		whole += int64(len(line))
	}
}

// append queues a record; synced, if not nil, runs once it is on the disk.
func (j *journal) append(rec record, synced func(error)) { j.in <- entry{rec, synced} }

// close writes what is queued. Nothing may be appended after it.
func (j *journal) close() error {
	close(j.in)
	j.done.Wait()
	return j.file.Close()
}

func (j *journal) write() {
	for first := range j.in {
		batch := []entry{first}
		for len(j.in) > 0 {
			batch = append(batch, <-j.in)
		}
		err := j.flush(batch)
		if err != nil {
			j.log.Error("journal not written", slog.Any("error", err))
		}
		for _, e := range batch {
			if e.synced != nil {
				e.synced(err)
			}
		}
	}
}

func (j *journal) flush(batch []entry) error {
	var lines []byte
	for _, e := range batch {
		line, err := json.Marshal(e.record)
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	if _, err := j.file.Write(lines); err != nil {
		return err
	}
	return j.file.Sync()
}
