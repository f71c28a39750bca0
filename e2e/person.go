package e2e

import (
	"slices"
)

// Person is one of the desk's people.
type Person struct {
	ID, Name string
	Number   string // of the phone
	JID      string
	password string
	desk     *Desk
	phone    *Wire
	chat     *Chat
	left     []*Wire // of ended chats
}

// Person returns somebody by id.
func (d *Desk) Person(id string) *Person {
	d.t.Helper()
	if p := d.persons[id]; p != nil {
		return p
	}
	for _, r := range d.People {
		if r.ID == id {
			p := &Person{ID: r.ID, Name: r.Name, Number: r.Phone, JID: r.JID, password: r.Password, desk: d}
			d.persons[id] = p
			return p
		}
	}
	d.t.Fatalf("nobody here has the id %q", id)
	return nil
}

// Stranger is somebody with a phone whom the desk does not know.
func (d *Desk) Stranger(number string) *Wire {
	d.t.Helper()
	return d.wire("the stranger "+number, number)
}

func (d *Desk) wire(who, number string) *Wire {
	d.t.Helper()
	w := &Wire{
		t: d.t, who: who, seen: map[string]bool{},
		history: func() ([]Message, error) { return d.phones.messages(number) },
		write:   func(text string) error { return d.phones.send(number, text) },
	}
	w.begin()
	return w
}

// Phone is the person's phone.
func (p *Person) Phone() *Wire {
	p.desk.t.Helper()
	if p.phone == nil {
		p.phone = p.desk.wire(p.Name+"'s phone", p.Number)
	}
	return p.phone
}

// wires are everything that the person reads in this story.
func (p *Person) wires() []*Wire {
	wires := slices.Clone(p.left)
	if p.phone != nil {
		wires = append(wires, p.phone)
	}
	if p.chat != nil {
		wires = append(wires, p.chat.Wire)
	}
	return wires
}

// Submit submits a ticket in the person's name and returns its number.
func (p *Person) Submit(subject, priority string) int {
	p.desk.t.Helper()
	status, body := p.desk.Post("/v1/tickets", map[string]any{"subject": subject, "priority": priority, "requester": p.ID}, "")
	if status != 201 {
		p.desk.t.Fatalf("submit: %d %v", status, body)
	}
	n := int(body["number"].(float64))
	p.desk.mine = append(p.desk.mine, n)
	return n
}
