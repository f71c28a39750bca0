package command_test

import (
	"fmt"
	"time"

	"deskbell/command"
)

func ExampleParse() {
	c := command.Parse("c142 new toner", command.Speaker{Channel: "sms"})
	fmt.Println(c.Verb, c.Numbers, c.Text)
	c = command.Parse("clsoe 142", command.Speaker{Channel: "sms"})
	fmt.Println(c.Verb, c.Numbers, "taken for", c.Guess, "confirm:", c.Confirm)
	// Output:
	// done [142] new toner
	// done [142] taken for close confirm: true
}

func ExampleResolve() {
	now := time.Date(2026, 3, 3, 10, 38, 0, 0, time.UTC)
	ctx := command.Context{Now: now, Works: true}
	ctx.Offers = []command.Offer{{Ticket: 142, At: now.Add(-time.Minute), Until: now.Add(14 * time.Minute)}}
	act := command.Resolve(command.Parse("ok", command.Speaker{}), ctx).(command.Act)
	fmt.Println(act.Verb, act.Tickets)
	// Output: take [142]
}
