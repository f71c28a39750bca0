package command

// closest finds the verb that a misspelt word most probably means. Nothing is
// found when two verbs are equally near.
func (g *lexicon) closest(word, language string) (*entry, string) {
	w := []rune(word)
	if len(w) < 3 || len(w) > g.longest+2 {
		return nil, ""
	}
	limit := 2
	if len(w) <= 5 {
		limit = 1
	}
	var best *entry
	var spelt string
	near, tie := limit+1, false
	for _, l := range []string{base(language), "en"} {
		for candidate, e := range g.words[l] {
			if e.Guess == "never" {
				continue
			}
			d := distance(w, []rune(candidate), limit)
			switch {
			case d > limit || d > near:
			case d < near:
				best, spelt, near, tie = e, candidate, d, false
			case e != best:
				tie = true
			case candidate < spelt:
				spelt = candidate
			}
		}
		if l == "en" {
			break
		}
	}
	if tie || best == nil {
		return nil, ""
	}
	return best, spelt
}

// distance is the Damerau-Levenshtein distance of two words that begin alike or
// with their first two letters swapped; limit+1 when they do not or are farther apart.
func distance(a, b []rune, limit int) int {
	swapped := len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0]
	if len(b) < 3 || a[0] != b[0] && !swapped || len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	var rows [3][32]int
	if len(b) >= len(rows[0]) {
		return limit + 1
	}
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
