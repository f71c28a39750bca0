package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ownDialogues is played when no other file is named.
const ownDialogues = "testdata/dialogues.json"

// TestDialogues plays a file of dialogues, each from an empty desk: the file that
// DIALOGUES names, or a tenth of ours. DIALOGUE_SUMMARY names a file for the count.
func TestDialogues(t *testing.T) {
	t.Parallel()
	path, all := os.LookupEnv("DIALOGUES")
	if path == "" {
		path = ownDialogues
	}
	f, err := readDialogues(path)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := readTexts(filepath.Join("..", "notice", "messages.json"))
	if err != nil {
		t.Fatal(err)
	}
	people, err := f.peopleFile()
	if err != nil {
		t.Fatal(err)
	}
	only := strings.Fields(os.Getenv("DIALOGUE"))
	byLimit := map[int][]dialogue{}
	for i, d := range f.Dialogues {
		if (all || i%10 == 0) && (len(only) == 0 || slices.Contains(only, d.ID)) {
			byLimit[d.Setup.Limits.Held] = append(byLimit[d.Setup.Limits.Held], d)
		}
	}
	passed, failed := 0, 0
	for _, held := range sorted(byLimit) {
		policy, err := f.policyFile(held)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprintf("limit %d", held), func(t *testing.T) {
			desk := Start(t, Options{People: people, Policy: policy, Clock: true, Env: []string{"TZ=UTC"}})
			for _, d := range byLimit[held] {
				failed++ // until it passed
				t.Run(d.ID+" "+d.Title, func(t *testing.T) {
					wrong := perform(t, desk.server, f, d, texts)
					for _, w := range wrong {
						t.Error(w)
					}
					if len(wrong) == 0 && !t.Failed() {
						passed, failed = passed+1, failed-1
					}
				})
			}
		})
	}
	summary := fmt.Sprintf("%d passed, %d failed\n", passed, failed)
	t.Log(summary)
	if path := os.Getenv("DIALOGUE_SUMMARY"); path != "" {
		if err := os.WriteFile(path, []byte(summary), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func sorted[V any](m map[int]V) []int {
	var list []int
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
