package ticket_test

import (
	"fmt"
	"testing"
	"time"

	"deskbell/ticket"
)

var (
	submitted = time.Date(2026, 3, 3, 10, 38, 0, 0, time.UTC)
	ann       = ticket.Party{ID: "ann", Name: "Ann Lee", Via: "sms"}
	bob       = ticket.Party{ID: "bob", Name: "Bob", Via: "sms"}
	eve       = ticket.Party{ID: "eve", Name: "Eve", Via: "im"}
)

func open() ticket.Ticket {
	t, _ := ticket.Open(ticket.Opening{Number: 142, Subject: "Printer jams", Requester: ann, Priority: ticket.P3, CreatedAt: submitted,
		Plan: ticket.Plan{Wave: ticket.Wave{Size: 2, Every: 15 * time.Minute}, Lease: 2 * time.Hour}}, submitted)
	return t
}

func take(by ticket.Party) ticket.Command {
	return ticket.Command{ID: "take-" + by.ID, Verb: ticket.Take, Actor: by, Works: true, Channel: by.Via}
}

// Two agents claim the same ticket. One wins, the other hears who it was.
func ExampleApply() {
	before := open()
	now := submitted.Add(2 * time.Minute)
	for _, c := range []ticket.Command{take(bob), take(eve)} {
		after, events, err := ticket.Apply(before, c, now)
		if refusal, refused := ticket.Refused(err); refused {
			fmt.Println("->", c.Actor.Name, refusal.Message, "to", refusal.Who.Name)
			continue
		}
		for _, e := range events {
			for _, n := range ticket.Notices(before, after, e) {
				fmt.Println("->", n.To.Name, n.Message)
			}
		}
		before = after
	}
	fmt.Println(before.Status, before.Assignee.Name, "version", before.Version)
	// Output:
	// -> Bob take_ok
	// -> Ann Lee req_claimed
	// -> Eve take_lost to Bob
	// assigned Bob version 2
}

func BenchmarkApply(b *testing.B) {
	t, c, now := open(), take(bob), submitted.Add(time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ticket.Apply(t, c, now); err != nil {
			b.Fatal(err)
		}
	}
}
