package main

import (
	_ "embed"

	"deskbell/gateway"
	"deskbell/gateway/im"
	"deskbell/notice"
)

//go:embed bell.png
var bell []byte

// card is how chat clients show the desk.
func card() im.Card {
	return im.Card{Name: label("card_name"), About: label("card_about"), Photo: bell}
}

func label(id string) string {
	text, err := notice.Render(notice.Message{ID: id, Channel: string(gateway.IM)})
	if err != nil {
		panic(err) // a text of ours, without values
	}
	return text.Body
}

// menu is what people's chat clients offer as forms; each means what a person would
// type.
func menu() im.Menu {
	number := im.Field{Name: "number", Label: label("menu_number"), Required: true}
	return im.Menu{Sent: label("menu_sent"), Commands: []im.Command{
		{Node: "list", Name: label("menu_list"), Line: func(map[string]string) string { return "LIST" }},
		{Node: "take", Name: label("menu_take"), Fields: []im.Field{number},
			Line: func(v map[string]string) string { return "TAKE " + v["number"] }},
		{Node: "close", Name: label("menu_close"), Fields: []im.Field{number, {Name: "text", Label: label("menu_done")}},
			Line: func(v map[string]string) string { return "CLOSE " + v["number"] + " " + v["text"] }},
		{Node: "away", Name: label("menu_away"), Fields: []im.Field{{Name: "until", Label: label("menu_until")}},
			Line: func(v map[string]string) string { return "AWAY " + v["until"] }},
	}}
}
