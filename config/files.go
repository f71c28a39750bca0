package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"deskbell/policy"
	"deskbell/roster"
)

// Policy reads a policy file; an empty path gives the built-in policy.
func Policy(path string) (policy.Policy, error) {
	if path == "" {
		return policy.Default(), nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return policy.Policy{}, err
	}
	p, err := policy.Load(data)
	if err != nil {
		return policy.Policy{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// People reads and validates a people file: YAML, JSON, or CSV by its name, which
// has people alone. In YAML every value is
// text, quoted or not: an unquoted +4930123456 keeps its plus. The error has one
// line for every entry that is wrong and says what to do about it.
func People(path string) (roster.File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return roster.File{}, err
	}
	parse := parsePeople
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		parse = csvPeople
	}
	file, err := parse(data)
	if err != nil {
		return roster.File{}, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

func parsePeople(data []byte) (roster.File, error) {
	entries := yamlEntries
	if json.Valid(data) {
		entries = jsonEntries
	}
	sections, err := entries(data)
	if err != nil {
		return roster.File{}, err
	}
	var file roster.File
	var errs []error
	for _, e := range sections {
		switch e.section {
		case "people":
			file.People, err = appendEntry(file.People, e)
		case "rota":
			file.Rota, err = appendEntry(file.Rota, e)
		default:
			err = fmt.Errorf("%s: no such key: use people, rota", e.where)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return roster.File{}, errors.Join(errs...)
	}
	return file, file.Validate()
}

// entry is one person or rotation, as JSON, and where it stands.
type entry struct {
	section string
	where   string
	raw     []byte
}

func appendEntry[T any](list []T, e entry) ([]T, error) {
	var one T
	d := json.NewDecoder(bytes.NewReader(e.raw))
	d.DisallowUnknownFields()
	err := d.Decode(&one)
	if err == nil {
		return append(list, one), nil
	}
	if wrong, ok := errors.AsType[*time.ParseError](err); ok {
		return list, fmt.Errorf("%s: %s: write a time as 2026-01-05T08:00:00+01:00", e.where, wrong.Value)
	}
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return list, fmt.Errorf("%s: %s: unexpected %s", e.where, wrong.Field, wrong.Value)
	}
	return list, fmt.Errorf("%s: %s (the keys are %s)", e.where, strings.TrimPrefix(err.Error(), "json: "), keysOf[T]())
}

// keysOf returns the keys of a struct as files spell them.
func keysOf[T any]() string {
	var keys []string
	for f := range reflect.TypeFor[T]().Fields() {
		if key, _, _ := strings.Cut(f.Tag.Get("json"), ","); key != "-" {
			keys = append(keys, key)
		}
	}
	return strings.Join(keys, ", ")
}

func jsonEntries(data []byte) ([]entry, error) {
	var sections map[string][]json.RawMessage
	if err := json.Unmarshal(data, &sections); err != nil {
		return nil, errors.New("want {people: [...], rota: [...]}")
	}
	var out []entry
	names := make([]string, 0, len(sections))
	for name := range sections {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for i, raw := range sections[name] {
			out = append(out, entry{name, fmt.Sprintf("%s, entry %d", name, i+1), raw})
		}
		if name != "people" && name != "rota" && len(sections[name]) == 0 {
			out = append(out, entry{section: name, where: name})
		}
	}
	return out, nil
}

func yamlEntries(data []byte) ([]entry, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("want {people: [...], rota: [...]}")
	}
	var out []entry
	for i := 0; i < len(root.Content); i += 2 {
		key, list := root.Content[i], root.Content[i+1]
		if key.Value != "people" && key.Value != "rota" {
			out = append(out, entry{section: key.Value, where: fmt.Sprintf("line %d: %s", key.Line, key.Value)})
			continue
		}
		if list.Kind != yaml.SequenceNode {
			return nil, fmt.Errorf("line %d: %s: want a list", key.Line, key.Value)
		}
		for _, item := range list.Content {
			plain, err := plainValue(item, 0)
			if err != nil {
				return nil, err
			}
			raw, err := json.Marshal(plain)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", item.Line, err)
			}
			out = append(out, entry{key.Value, fmt.Sprintf("line %d", item.Line), raw})
		}
	}
	return out, nil
}

// maxDepth is more than a people file needs; an anchor may contain itself.
const maxDepth = 8

// plainValue turns YAML into maps, lists and strings.
func plainValue(n *yaml.Node, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("line %d: nested too deeply", n.Line)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return plainValue(n.Alias, depth+1)
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			v, err := plainValue(item, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if _, twice := object[key.Value]; twice {
				return nil, fmt.Errorf("line %d: %s is given twice: keep one", key.Line, key.Value)
			}
			v, err := plainValue(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			object[key.Value] = v
		}
		return object, nil
	}
	if n.Tag == "!!null" {
		return nil, nil
	}
	return n.Value, nil
}
