package command

// shortestGuess is the length of the shortest word that is guessed, or guessed from.
const shortestGuess = 3

// spelling is a word that a misspelt one may mean.
type spelling struct {
	runes []rune
	word  string
	entry *entry
}

// closest finds the verb that a misspelt word most probably means: one that begins
// alike, or with the first two letters swapped. Nothing is found when two verbs
// are equally near.
func (g *lexicon) closest(word, language string) (*entry, string) {
	w := []rune(word)
	if len(w) < shortestGuess || len(w) > maxWord {
		return nil, ""
	}
	limit := 2
	if len(w) <= 5 {
		limit = 1
	}
	best, near, tie := spelling{}, limit+1, false
	consider := func(list []spelling) {
		for _, c := range list {
			switch d := distance(w, c.runes, near); {
			case d > near || d > limit:
			case d < near:
				best, near, tie = c, d, false
			case c.entry != best.entry:
				tie = true
			case c.word < best.word:
				best = c
			}
		}
	}
	languages := []string{"en", base(language)}
	if languages[1] == "en" {
		languages = languages[:1]
	}
	for _, l := range languages {
		consider(g.nearby[l][w[0]])
		if w[1] != w[0] {
			for _, c := range g.nearby[l][w[1]] {
				if c.runes[1] == w[0] {
					consider([]spelling{c})
				}
			}
		}
	}
	if tie || near > limit {
		return nil, ""
	}
	return best.entry, best.word
}

// maxWord is longer than any word of the grammar.
const maxWord = 31

// distance is the Damerau-Levenshtein distance of two words (optimal string
// alignment), or more than limit when it is more.
func distance(a, b []rune, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(b) > maxWord {
		return limit + 1
	}
	var rows [3][maxWord + 1]int
	before, previous, current := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(b)]
}
