package notice_test

import (
	"fmt"

	"deskbell/notice"
	"deskbell/ticket"
)

func ExampleRender() {
	text, err := notice.Render(notice.Message{ID: "offer", Channel: "sms", Language: "en", Values: map[string]string{
		"n": "142", "PRIO": notice.Prefix(ticket.P1, "en"), "subj": "Nie działa drukarka", "from": "Ann Lee", "loc": "room 312",
	}})
	fmt.Println(text.Body, err)
	fmt.Println(text.Encoding, text.Units, text.Segments)
	// Output:
	// #142 URGENT Nie dziala drukarka. Ann Lee, room 312. Reply 142 to take, R142 not me, D142 more. <nil>
	// gsm7 94 1
}
