package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	persistencespb "go.temporal.io/server/api/persistence/v1"
)

func TestAddSearchAttributes(t *testing.T) {
	t.Parallel()
	cfg := &persistencespb.NamespaceConfig{
		// An earlier version that knew one of ours, and one that an operator added.
		CustomSearchAttributeAliases: map[string]string{"Keyword03": "TicketGroup", "Int01": "Floor"},
	}
	changed, err := addSearchAttributes(cfg)
	if err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	aliases := maps.Clone(cfg.CustomSearchAttributeAliases)
	if aliases["Keyword03"] != "TicketGroup" || aliases["Int01"] != "Floor" {
		t.Errorf("existing attributes moved: %v", aliases)
	}
	for _, attribute := range searchAttributes {
		if !slices.Contains(slices.Collect(maps.Values(aliases)), attribute.name) {
			t.Errorf("%s has no column", attribute.name)
		}
	}
	if len(aliases) != len(searchAttributes)+1 {
		t.Errorf("columns shared or doubled: %v", aliases)
	}

	changed, err = addSearchAttributes(cfg)
	if err != nil || changed || !maps.Equal(aliases, cfg.CustomSearchAttributeAliases) {
		t.Errorf("the second time: changed %v, %v", changed, err)
	}
}

func TestAddSearchAttributesWithoutRoom(t *testing.T) {
	t.Parallel()
	cfg := &persistencespb.NamespaceConfig{CustomSearchAttributeAliases: map[string]string{
		"Int01": "a", "Int02": "b", "Int03": "c",
	}}
	_, err := addSearchAttributes(cfg)
	if err == nil || !strings.Contains(err.Error(), "TicketPriority") {
		t.Errorf("got %v", err)
	}
}

func TestPasswordIsNotAnArgument(t *testing.T) {
	t.Parallel()
	if _, err := parseOptions([]string{"--postgres", "postgres://u:secret@127.0.0.1/postgres"}); err == nil {
		t.Error("a password on the command line is accepted")
	}
}
