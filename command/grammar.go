package command

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
)

//go:embed grammar.json
var grammarJSON []byte

// grammar is compiled once; it is never written to afterwards.
var grammar = compile(grammarJSON)

// entry is a verb as grammar.json describes it.
type entry struct {
	Verb     Verb                `json:"verb"`
	Words    map[string][]string `json:"words"` // per language
	Letter   string              `json:"letter"`
	Digit    string              `json:"digit"`
	Numbers  string              `json:"numbers"`  // "", "one" or "many" ticket numbers
	Argument string              `json:"argument"` // "", "text", "time", "topic" or "page"
	Who      string              `json:"who"`      // agent, requester, both, sms
	Guess    string              `json:"guess"`    // run, ask or never, when the word was misspelt
	Loose    []string            `json:"loose"`    // words that text may follow without a number in between
	Meaning  string              `json:"meaning"`
}

// timeWords is what people write for times. Units and Days map what When
// computes with to its spellings.
type timeWords struct {
	Units  map[string][]string `json:"units"`
	One    []string            `json:"one"`
	Days   map[string][]string `json:"days"`
	Hours  map[string]int      `json:"hours"`
	Before []string            `json:"before"`
	After  []string            `json:"after"`
	AM     []string            `json:"am"`
	PM     []string            `json:"pm"`

	unit map[string]string
	day  map[string]string
}

type lexicon struct {
	Verbs      []*entry  `json:"verbs"`
	Fillers    []string  `json:"fillers"`
	Affirm     []string  `json:"affirm"`
	Connectors []string  `json:"connectors"`
	And        []string  `json:"and"`
	Polite     []string  `json:"polite"`
	AfterNo    []string  `json:"after_no"`
	Common     []string  `json:"common"` // words that do not make two reports alike
	Time       timeWords `json:"time"`
	Emoji      struct {
		Yes string `json:"yes"`
		No  string `json:"no"`
	} `json:"emoji"`
	Reactions []string `json:"reactions"`
	Automatic []string `json:"automatic"`

	entries map[Verb]*entry
	words   map[string]map[string]*entry   // language, word
	nearby  map[string]map[rune][]spelling // language, first letter
	carrier map[string]Verb                // STOP and START, as the whole message
	letters map[string]*entry
	digits  map[string]*entry // after a number
	alone   map[string]*entry // the whole message
	sets    map[string]map[string]bool
}

// compile panics on a broken grammar: it is part of the program.
func compile(data []byte) *lexicon {
	g := &lexicon{
		entries: map[Verb]*entry{},
		words:   map[string]map[string]*entry{},
		nearby:  map[string]map[rune][]spelling{},
		carrier: map[string]Verb{},
		letters: map[string]*entry{},
		digits:  map[string]*entry{},
		alone:   map[string]*entry{},
	}
	if err := json.Unmarshal(data, g); err != nil {
		panic("command: grammar.json: " + err.Error())
	}
	for _, e := range g.Verbs {
		g.add(e)
	}
	g.Time.unit, g.Time.day = invert(g.Time.Units), invert(g.Time.Days)
	g.sets = map[string]map[string]bool{}
	for name, words := range map[string][]string{
		"filler": append(g.Fillers, g.Affirm...), "connector": g.Connectors, "and": g.And,
		"polite": g.Polite, "after no": g.AfterNo, "common": g.Common,
		"one": g.Time.One, "before": g.Time.Before, "after": g.Time.After, "am": g.Time.AM, "pm": g.Time.PM,
	} {
		g.sets[name] = map[string]bool{}
		for _, w := range words {
			g.sets[name][w] = true
		}
	}
	return g
}

func (g *lexicon) add(e *entry) {
	g.entries[e.Verb] = e
	for language, words := range e.Words {
		if e.Who == "sms" {
			for _, w := range words {
				g.carrier[w] = e.Verb
			}
			continue
		}
		if g.words[language] == nil {
			g.words[language] = map[string]*entry{}
			g.nearby[language] = map[rune][]spelling{}
		}
		for _, w := range words {
			if _, taken := g.words[language][w]; !taken {
				g.words[language][w] = e
			}
			if r := []rune(w); e.Guess != "never" && len(r) >= shortestGuess {
				g.nearby[language][r[0]] = append(g.nearby[language][r[0]], spelling{r, w, e})
			}
		}
	}
	if e.Letter != "" && g.letters[e.Letter] == nil {
		g.letters[e.Letter] = e
	}
	if e.Digit == "" {
		return
	}
	// 1 and 2 stand for two verbs: after a number they act, which the grammar names
	// first; alone they answer, which it names last.
	if g.digits[e.Digit] == nil {
		g.digits[e.Digit] = e
	}
	g.alone[e.Digit] = e
}

func invert(m map[string][]string) map[string]string {
	inverse := map[string]string{}
	for key, words := range m {
		for _, w := range words {
			inverse[w] = key
		}
	}
	return inverse
}

// word finds what a word means to a person: their own language first, then English.
func (g *lexicon) word(w, language string) *entry {
	if e := g.words[base(language)][w]; e != nil {
		return e
	}
	return g.words["en"][w]
}

func (g *lexicon) is(set, word string) bool { return g.sets[set][word] }

func (e *entry) loose(word string) bool { return slices.Contains(e.Loose, word) }

// base is the language without region or script.
func base(language string) string {
	if i := strings.IndexAny(language, "-_"); i >= 0 {
		language = language[:i]
	}
	return strings.ToLower(language)
}
