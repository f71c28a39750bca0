package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// exchange is the network of phones: the development SMSC, or another.
type exchange interface {
	messages(number string) ([]Message, error)
	send(number, text string) error
}

// phonesAPI is the development SMSC.
type phonesAPI struct{ url string }

func (p phonesAPI) path(number, what string) string {
	return p.url + "/api/phones/" + url.PathEscape(number) + "/" + what
}

func (p phonesAPI) messages(number string) ([]Message, error) {
	response, err := http.Get(p.path(number, "messages"))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var list []struct {
		ID, Direction, Text string
		At                  time.Time
	}
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		return nil, err
	}
	all := make([]Message, len(list))
	for i, m := range list {
		all[i] = Message{ID: m.ID, Text: m.Text, At: m.At, Own: m.Direction == "in"}
	}
	return all, nil
}

func (p phonesAPI) send(number, text string) error {
	return p.post(p.path(number, "messages"), map[string]string{"text": text})
}

func (p phonesAPI) post(path string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	response, err := http.Post(path, "application/json", bytes.NewReader(data))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		detail, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s", response.Status, detail)
	}
	return nil
}

// Faults sets the SMSC's fault switches.
func (d *Desk) Faults(switches map[string]any) {
	d.t.Helper()
	if err := (phonesAPI{d.Phones}).post(d.Phones+"/api/faults", switches); err != nil {
		d.t.Fatal(err)
	}
}

// LedgerRow is the fate of one message at the SMSC.
type LedgerRow struct {
	ID, Direction, Phone, Text, State string
	Parts, Attempts                   int
}

// Ledger is what the SMSC knows of its messages, oldest first.
func (d *Desk) Ledger() []LedgerRow {
	d.t.Helper()
	rows, err := d.phones.(*watchedPhones).rows()
	if err != nil {
		d.t.Fatal(err)
	}
	return rows
}

func (p phonesAPI) rows() (rows []LedgerRow, err error) {
	response, err := http.Get(p.url + "/api/ledger")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	err = json.NewDecoder(response.Body).Decode(&rows)
	return rows, err
}
