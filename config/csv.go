package config

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"deskbell/roster"
)

// csvPeople reads people from CSV (RFC 4180, UTF-8; semicolons as well as commas).
// The first row names the keys of the YAML in any order; several roles of one
// person stand in one cell, with spaces between them. The error has one line for
// every row that is wrong, with the line of the file and the column.
func csvPeople(data []byte) (roster.File, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // as spreadsheets begin
	r := csv.NewReader(bytes.NewReader(data))
	if first, _, _ := bytes.Cut(data, []byte("\n")); !bytes.ContainsRune(first, ',') && bytes.ContainsRune(first, ';') {
		r.Comma = ';'
	}
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return roster.File{}, errors.New("line 1: want a row with the names of the columns")
	}
	if err != nil {
		return roster.File{}, csvError(err)
	}
	keys := strings.Split(keysOf[roster.Person](), ", ")
	for i, key := range header {
		header[i] = strings.TrimSpace(key)
		switch {
		case !slices.Contains(keys, header[i]):
			return roster.File{}, fmt.Errorf("line 1, column %d: no such key %q: use %s", i+1, header[i], strings.Join(keys, ", "))
		case slices.Contains(header[:i], header[i]):
			return roster.File{}, fmt.Errorf("line 1, column %d: %s is given twice: keep one", i+1, header[i])
		}
	}
	var file roster.File
	var errs []error
	taken := map[[2]string]int{} // key and value -> line
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			errs = append(errs, csvError(err))
			if errors.Is(err, csv.ErrFieldCount) {
				continue
			}
			break // after a stray quote nothing stands where it seems to
		}
		line, _ := r.FieldPos(0)
		if err := csvPerson(&file, header, row, line, taken); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return roster.File{}, errors.Join(errs...)
	}
	return file, file.Validate()
}

func csvPerson(file *roster.File, header, row []string, line int, taken map[[2]string]int) error {
	where := func(i int) string { return fmt.Sprintf("line %d, column %d (%s)", line, i+1, header[i]) }
	person := map[string]any{}
	for i, text := range row {
		text = strings.TrimSpace(text)
		switch key := header[i]; {
		case !utf8.ValidString(text):
			return fmt.Errorf("%s: not UTF-8: save the file as CSV in UTF-8", where(i))
		case text == "":
			continue
		case key == "role":
			person[key] = strings.Fields(text)
			continue
		case key == "id" || key == "phone" || key == "jid":
			if first, twice := taken[[2]string{key, text}]; twice {
				return fmt.Errorf("%s: %s is taken by line %d: use another", where(i), text, first)
			}
			taken[[2]string{key, text}] = line
		}
		person[header[i]] = text
	}
	raw, err := json.Marshal(person)
	if err != nil {
		return fmt.Errorf("line %d: %w", line, err)
	}
	people, err := appendEntry(file.People, entry{"people", fmt.Sprintf("line %d", line), raw})
	if err != nil {
		return err
	}
	if field, problem := people[len(people)-1].Problem(); problem != "" {
		if i := slices.Index(header, field); i >= 0 {
			return fmt.Errorf("%s: %s", where(i), problem)
		}
		return fmt.Errorf("line %d: %s", line, problem) // no column for it
	}
	file.People = people
	return nil
}

func csvError(err error) error {
	if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Errorf("line %d, character %d: %w", wrong.Line, wrong.Column, wrong.Err)
	}
	return err
}
