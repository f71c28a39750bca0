package e2e

import (
	"encoding/json"
	"os"
	"strings"
)

// texts are the wordings of the messages: by id, language and channel.
type texts map[string]map[string]map[string]string

func readTexts(path string) (texts, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []struct {
		ID     string
		EN, DE map[string]string
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	all := texts{}
	for _, m := range list {
		all[m.ID] = map[string]map[string]string{"en": m.EN, "de": m.DE}
	}
	return all, nil
}

// says tells whether a text is a wording of a message, or of one of its variants
// (take_lost_last of take_lost), in a language; in English where there is none.
func (t texts) says(message, language, via, text string) bool {
	for id, wordings := range t {
		if id != message && !strings.HasPrefix(id, message+"_") {
			continue
		}
		form := wordings[language][via]
		if form == "" {
			form = wordings["en"][via]
		}
		if form != "" && follows(text, form) {
			return true
		}
	}
	return false
}

// follows tells whether the fixed words of a form stand in a text, in their order.
func follows(text, form string) bool {
	for form != "" {
		fixed, rest, _ := strings.Cut(form, "{")
		_, form, _ = strings.Cut(rest, "}")
		fixed = strings.Trim(fixed, " ,.\n")
		i := strings.Index(text, fixed)
		if i < 0 {
			return false
		}
		text = text[i+len(fixed):]
	}
	return true
}
