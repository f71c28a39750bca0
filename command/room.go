package command

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// plainIn are the verbs that a line in a room may use on a ticket without a word more,
// and wordyIn those that take text. "Take 5 minutes" is said to colleagues.
var (
	plainIn = []Verb{Take, Decline, Release, Show, Reopen, Takeover, Up, Why, Undo}
	wordyIn = []Verb{Done, Note, AskFor, Tell, Pass, Snooze}
)

// firstTicket is the lowest number that a ticket has.
const firstTicket = 100

// Said returns what a line in a room of many says to the desk, which is called name
// there, and whether it says anything to it: what follows the name, or a verb with a
// ticket's number. A bare number, YES and whatever else colleagues may say to each other
// is said to the desk only after its name. It reads every language's words.
func Said(line, name string) (text string, ours bool) {
	if rest, ok := called(strings.TrimSpace(line), name); ok {
		return rest, true
	}
	return line, slices.ContainsFunc(slices.Sorted(maps.Keys(grammar.words)), func(language string) bool {
		c := Parse(line, Speaker{Channel: "im", Language: language})
		if c.Guess != "" || c.Quoted != 0 || len(c.Numbers) == 0 || slices.Min(c.Numbers) < firstTicket {
			return false
		}
		return slices.Contains(plainIn, c.Verb) && c.Text == "" || slices.Contains(wordyIn, c.Verb)
	})
}

// called returns what follows a name and the mark after it: "desk: take 142".
func called(line, name string) (rest string, ok bool) {
	line = strings.TrimPrefix(line, "@")
	if len(line) <= len(name) || name == "" || !strings.EqualFold(line[:len(name)], name) {
		return "", false
	}
	mark, size := utf8.DecodeRuneInString(line[len(name):])
	if !strings.ContainsRune(":, ", mark) {
		return "", false
	}
	rest = strings.TrimSpace(line[len(name)+size:])
	return rest, rest != ""
}
